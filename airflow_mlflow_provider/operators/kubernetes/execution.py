"""A command executed in a container that runs: its input, its output as lines, its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

from typing_extensions import Self

from airflow_mlflow_provider.operators.kubernetes.api import PodApi
from airflow_mlflow_provider.operators.kubernetes.spec import CONTAINER

_STDOUT, _STDERR, _ERROR = 1, 2, 3
_CHUNK_BYTES = 1 << 15
# Nothing is seen of a kill in between.
_LOOK_S = 0.2
# What is between here and the node forgets connections on which nothing is said; the shortest that is common is a minute.
_PING_S = 20.0
_NOT_ALLOWED = ("Handshake status 401", "Handshake status 403")


class Refused(Exception):
    """Nothing may be executed in pods here."""


class Execution:
    """A command that was started in a container.

    Closing the connection closes the command's input; the command goes on unless it looks at that.

    Args:
        socket: The client of ``kubernetes.stream``.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._rests = {_STDOUT: b"", _STDERR: b""}
        self.is_overdue = False
        self.exit_code: int | None = None

    @classmethod
    def open(cls, api: PodApi, pod: str, command: list[str]) -> Execution | None:
        """Start a command in a pod; ``None`` if the pod is not, or no longer, to be reached.

        Raises:
            Refused: This worker may not execute anything in pods.
        """
        from kubernetes.client.exceptions import ApiException

        try:
            return cls(api.execute(pod, CONTAINER, command))
        except (ApiException, AttributeError) as error:
            # The library stumbles over a refusal that has no body; what it was told is what it was handling then.
            refusal = error if isinstance(error, ApiException) else error.__context__
            if not isinstance(refusal, ApiException):
                raise
            told = str(refusal.reason)
            if told.startswith(_NOT_ALLOWED):
                raise Refused(
                    f"The service account of Airflow's workers may not get and create pods/exec in the namespace {api.namespace}."
                ) from error
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes to the command's input; a connection that broke shows in the end."""
        from websocket import WebSocketException

        with suppress(OSError, WebSocketException):
            for start in range(0, len(data), _CHUNK_BYTES):
                self._socket.write_stdin(data[start : start + _CHUNK_BYTES])

    def lines(self, until: float, stopped: Callable[[], bool]) -> Iterator[str]:
        """The lines of the command's output, both streams as they come, until it ends or the connection does.

        ``exit_code`` is set when it has ended, and ``is_overdue`` when it was given up.

        Args:
            until: Moment of the monotonic clock at which to give up.
            stopped: Tells whether to give up, because the task was killed.
        """
        from websocket import WebSocketException

        ping_at = time.monotonic() + _PING_S
        while self._socket.is_open():
            moment = time.monotonic()
            self.is_overdue = moment >= until
            if self.is_overdue or stopped():
                return
            try:
                if moment >= ping_at:
                    self._socket.sock.ping()
                    ping_at = moment + _PING_S
                self._socket.update(timeout=_LOOK_S)
            except (OSError, WebSocketException):
                break
            yield from self._new_lines()
        yield from self._new_lines()
        for rest in self._rests.values():
            if rest:
                yield _text(rest)
        self.exit_code = _code_in(self._socket.read_channel(_ERROR))

    def _new_lines(self) -> Iterator[str]:
        for channel, rest in self._rests.items():
            data = self._socket.read_channel(channel)
            if data:
                *whole, self._rests[channel] = (rest + data).split(b"\n")
                yield from map(_text, whole)


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="backslashreplace").rstrip("\r")


def _code_in(told: bytes) -> int | None:
    """The exit code in the ``Status`` that ends a conversation; ``None`` if there was none."""
    try:
        status = json.loads(told)
    except ValueError:
        return None
    if status.get("status") == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or ()
    codes = [cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"]
    return int(codes[0]) if codes else None
