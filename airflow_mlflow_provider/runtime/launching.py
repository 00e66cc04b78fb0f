"""Choosing how task processes are started, and what all ways have in common."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from typing import Final, Literal, Protocol

from airflow_mlflow_provider.exception import MetaflowConfigError

START_METHOD_VARIABLE: Final = "MLFLOW_PROVIDER_START_METHOD"
ANSWER: Final = struct.Struct("!cii")
STARTED: Final = b"S"
ENDED: Final = b"X"


class Launcher(Protocol):
    """Starts task processes; :class:`~airflow_mlflow_provider.runtime.zygote.Zygote` is the usual one."""

    def fileno(self) -> int:
        """The descriptor that becomes readable when an answer waits."""
        ...

    def fork(self, step: str, control: int, stdout: int, stderr: int) -> None:
        """Ask for a task process of a step on these descriptors."""
        ...

    def answers(self) -> list[tuple[bytes, int, int]] | None:
        """``(b"S", pid, 0)`` for each start and ``(b"X", pid, wait status)`` for each end; ``None`` if gone."""
        ...

    def close(self) -> None:
        """End all task processes. May be called again."""
        ...


class Answers:
    """Reads what a launcher says: ``(b"S", pid, 0)`` for each start, ``(b"X", pid, wait status)`` for each end.

    Args:
        channel: Where it says it.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = b""

    def read(self) -> list[tuple[bytes, int, int]] | None:
        """The answers that wait; ``None`` if the other side is gone. Blocks if there are none."""
        try:
            data = self._channel.recv(65536)
        except ConnectionResetError:
            return None
        if not data:
            return None
        self._buffer += data
        whole = len(self._buffer) // ANSWER.size * ANSWER.size
        answers, self._buffer = self._buffer[:whole], self._buffer[whole:]
        return list(ANSWER.iter_unpack(answers))


def start_method() -> Literal["fork", "spawn"]:
    """How task processes are started: forked from this one's copy where that is safe, else as new interpreters.

    A fork is safe on Linux while no other Python thread runs. The variable ``MLFLOW_PROVIDER_START_METHOD`` decides
    otherwise.

    Raises:
        MetaflowConfigError: The variable is neither ``fork`` nor ``spawn``.
    """
    wanted = os.environ.get(START_METHOD_VARIABLE)
    if wanted == "fork":
        return "fork"
    if wanted == "spawn":
        return "spawn"
    if wanted:
        raise MetaflowConfigError(
            f"{START_METHOD_VARIABLE} is '{wanted}'.", fix="Set it to fork or spawn, or unset it."
        )
    safe = sys.platform.startswith("linux") and threading.active_count() == 1
    return "fork" if safe else "spawn"


def new_process_forks() -> bool:
    """Whether a new process may fork: it runs no threads, whatever this one does."""
    return sys.platform.startswith("linux") and os.environ.get(START_METHOD_VARIABLE) != "spawn"
