"""The messages between the process that supervises tasks and the processes that run them.

One task is one child process. It has three channels: its standard output and standard error, which the supervisor
captures, and a control socket, on which it receives one :class:`Assignment` and answers with a :class:`Report` at its end,
and with one before for each time that it has been given secrets to hide, or has waited.
A message is four bytes of length, big endian, and that many bytes of MessagePack.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.store.records import AttemptKey

_LENGTH = struct.Struct("!I")


class Assignment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt of one task.

    Attributes:
        key: What the attempt is called.
        store: URL of the artifact store.
        index_path: One index per frame.
        iteration: Iteration of a loop step.
        parents: Attempts to start from, in the order of a join's ``inputs``; ``None`` lets the task find them in
            the store.
        opened_by: For a join: the attempt of the split that it closes, if known.
        retry_count: What ``current.retry_count`` shows.
        last: Whether no attempt follows a failure.
        max_num_splits: Widest foreach allowed, ``None`` for any.
        max_iterations: Longest loop allowed.
        gang: ``main_ip``, ``num_nodes``, ``node_index``, ``control_task_id`` of a node of a gang.
        airflow: Where the task runs in Airflow, empty elsewhere.
        cache: Whether a step with ``@cache`` looks for an earlier result.
        waits: Whether it waits for another attempt that computes the same; not where somebody has waited before.
    """

    key: AttemptKey
    store: str
    index_path: tuple[int, ...] = ()
    iteration: int | None = None
    parents: tuple[AttemptKey, ...] | None = None
    opened_by: AttemptKey | None = None
    retry_count: int = 0
    last: bool = True
    max_num_splits: int | None = None
    max_iterations: int = 10_000
    gang: dict[str, Any] = {}
    airflow: dict[str, Any] = {}
    cache: bool = True
    waits: bool = True


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the child ended, when it could still say so, or that there are secrets to hide in its logs.

    Attributes:
        result: What its record says; ``None`` when no record could be written.
        store_error: Why the record could not be written.
        secrets: Values that its logs must not show from now on.
        waits: Whether it says only that it has waited for others, which does not count for its time limit.
    """

    result: TaskResult | None = None
    store_error: str = ""
    secrets: tuple[str, ...] = ()
    waits: bool = False


Message = TypeVar("Message")


def send(channel: socket.socket, message: msgspec.Struct) -> None:
    """Send one message.

    Raises:
        OSError: The other side is gone.
    """
    body = msgspec.msgpack.encode(message)
    channel.sendall(_LENGTH.pack(len(body)) + body)


def receive(channel: socket.socket, kind: type[Message]) -> Message | None:
    """Wait for one message; ``None`` if the other side closed without sending one whole."""
    head = _exactly(channel, _LENGTH.size)
    body = _exactly(channel, _LENGTH.unpack(head)[0]) if head else None
    return msgspec.msgpack.decode(body, type=kind) if body is not None else None


def take(data: bytearray, kind: type[Message]) -> Iterator[Message]:
    """The messages that have come as a whole, which are removed from ``data``."""
    while len(data) >= _LENGTH.size:
        end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
        if len(data) < end:
            return
        body = bytes(data[_LENGTH.size : end])
        del data[:end]
        yield msgspec.msgpack.decode(body, type=kind)


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        try:
            part = channel.recv(size - len(data))
        except ConnectionResetError:
            return None
        if not part:
            return None
        data += part
    return bytes(data)
