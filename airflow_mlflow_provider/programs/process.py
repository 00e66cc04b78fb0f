"""A command in a process of its own: what it prints is kept in files and shown, and it can be waited for and ended."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import msgspec

Stream = Literal["stdout", "stderr"]
Attributes = TypeVar("Attributes")

_POLL_SECONDS = 0.02
_LAST_LINES = 50
_CHUNK = 65_536


class FlowProcess:
    """A running command.

    Args:
        command: The program and its arguments.
        environment: Its variables.
        folder: Its working directory, ``None`` for that of this process.
        show: Whether what it prints is printed here as well.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: str | None, *, show: bool
    ) -> None:
        self.command = list(command)
        self.timed_out = False
        self._folder = Path(tempfile.mkdtemp(prefix="airflow-mlflow-provider-"))
        self._process = subprocess.Popen(
            self.command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._readers = [
            self._reader("stdout", self._process.stdout, sys.stdout if show else None),
            self._reader("stderr", self._process.stderr, sys.stderr if show else None),
        ]

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, ``None`` while the process runs."""
        code = self._process.poll()
        if code is not None:
            for reader in self._readers:
                reader.join()
        return code

    def output(self, stream: Stream) -> str:
        """What has been printed so far."""
        path = self.log_file(stream)
        return path.read_text("utf-8", "backslashreplace") if path.exists() else ""

    def log_file(self, stream: Stream) -> Path:
        """The file that keeps what is printed."""
        return self._folder / f"{stream}.txt"

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises:
            TimeoutError: It has not come in time.
        """
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{' '.join(self.command)} has not ended within {timeout} s.") from None
        return self.returncode or 0

    async def wait_for_end(self, timeout: float | None = None) -> bool:
        """Wait for the end without holding up others; whether it came in time."""
        return await self._until(lambda: self.returncode is not None, timeout)

    def kill(self, termination_timeout: float = 2) -> None:
        """End the process: politely, and by force if that takes longer than ``termination_timeout`` seconds."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(termination_timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def attributes(self, file: Path, kind: type[Attributes], timeout: float) -> Attributes:
        """Wait for what the command tells of itself in a file.

        Raises:
            RuntimeError: The command ended and has told nothing; holds the last 50 lines that it printed.
            TimeoutError: Nothing has come in time.
        """
        give_up = time.monotonic() + timeout
        while not self._has_told(file):
            if time.monotonic() >= give_up:
                raise self._too_late(timeout)
            time.sleep(_POLL_SECONDS)
        return self._told(file, kind)

    async def attributes_later(self, file: Path, kind: type[Attributes], timeout: float) -> Attributes:
        """As :meth:`attributes`, without holding up others."""
        if not await self._until(lambda: self._has_told(file), timeout):
            raise self._too_late(timeout)
        return self._told(file, kind)

    async def lines(self, stream: Stream, position: int | None = None) -> AsyncIterator[tuple[int, str]]:
        """The lines that are printed, as they come, until the process has ended.

        Args:
            stream: ``stdout`` or ``stderr``.
            position: Where to go on: a number of bytes that an earlier call gave.

        Yields:
            The position after the line, and the line without its newline.
        """
        place = position or 0
        rest = b""
        while True:
            ended = self.returncode is not None
            data = self._bytes_from(stream, place + len(rest))
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                place += len(line) + 1
                yield place, line.decode("utf-8", "backslashreplace")
            if ended and not data:
                break
            if not data:
                await asyncio.sleep(_POLL_SECONDS)
        if rest:
            yield place + len(rest), rest.decode("utf-8", "backslashreplace")

    def last_lines(self) -> str:
        """The last lines that the process printed, its errors last."""
        return "\n".join((self.output("stdout") + self.output("stderr")).splitlines()[-_LAST_LINES:])

    def cleanup(self) -> None:
        """End the process if it still runs, and remove its files."""
        self.kill()
        for reader in self._readers:
            reader.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _has_told(self, file: Path) -> bool:
        return file.exists() or self.returncode is not None

    def _told(self, file: Path, kind: type[Attributes]) -> Attributes:
        if not file.exists():
            raise RuntimeError(
                f"{' '.join(self.command)} ended with exit code {self.returncode}:\n{self.last_lines()}"
            )
        return msgspec.json.decode(file.read_bytes(), type=kind)

    def _too_late(self, timeout: float) -> TimeoutError:
        return TimeoutError(f"{' '.join(self.command)} has not started a run within {timeout} s.")

    async def _until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        give_up = None if timeout is None else time.monotonic() + timeout
        while not condition():
            if give_up is not None and time.monotonic() >= give_up:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def _bytes_from(self, stream: Stream, place: int) -> bytes:
        path = self.log_file(stream)
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(place)
            return file.read(_CHUNK)

    def _reader(self, stream: Stream, pipe: IO[bytes] | None, shown: Any) -> threading.Thread:
        path = self.log_file(stream)
        thread = threading.Thread(target=_keep, args=(pipe, path, shown), daemon=True)
        thread.start()
        return thread


def _keep(pipe: IO[bytes] | None, path: Path, shown: Any) -> None:
    if pipe is None:
        return
    with pipe, path.open("wb", buffering=0) as file:
        for line in pipe:
            file.write(line)
            if shown is not None:
                shown.write(line.decode("utf-8", "backslashreplace"))
                shown.flush()
