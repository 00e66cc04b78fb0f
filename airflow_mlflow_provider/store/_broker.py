"""A helper process that talks to an object store for a process that must not, because it was forked.

The helper is this module run as a program; the two ends share a socket. A message is its length in 8 bytes and a
pickle: ``(method, arguments, keywords)`` one way, ``(succeeded, result or error)`` back, one after another. The helper
ends when the other end of its socket is closed, so it outlives nobody.
"""

from __future__ import annotations

import builtins
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_mlflow_provider.exception import StoreException
from airflow_mlflow_provider.store.abc import ObjectInfo, Store, as_parts

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LENGTH = struct.Struct("<Q")
_FORWARDED = ("s3_endpoint_url", "s3_sse", "s3_retries", "s3_workers")


class BrokeredStore(Store):
    """A store in a helper process; the arguments are those of :class:`~._object.ObjectStore`."""

    remote = True

    def __init__(self, scheme: str, bucket: str, prefix: str) -> None:
        self.url = f"{scheme}://{bucket}/{prefix}".rstrip("/")
        self._location = (scheme, bucket, prefix)
        self._lock = threading.Lock()
        self._helper: _Helper | None = None

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        data: bytes = self._ask("get", key, start=start, length=length)
        return data

    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        found: builtins.list[bytes | memoryview | None] = self._ask("get_many", [*keys])
        return found

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        self._ask("put", key, b"".join(as_parts(data)), create=create)

    def get_versioned(self, key: str) -> tuple[bytes, str]:
        found: tuple[bytes, str] = self._ask("get_versioned", key)
        return found

    def replace(self, key: str, data: bytes, version: str) -> None:
        self._ask("replace", key, data, version)

    def info(self, key: str) -> ObjectInfo | None:
        found: ObjectInfo | None = self._ask("info", key)
        return found

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        return iter(self._ask("list", prefix, after=after, limit=limit))

    def children(self, prefix: str) -> builtins.list[str]:
        found: builtins.list[str] = self._ask("children", prefix)
        return found

    def delete(self, keys: Iterable[str]) -> None:
        self._ask("delete", [*keys])

    def local_path(self, key: str) -> Path | None:
        found: Path | None = self._ask("local_path", key)
        return found

    def download(self, key: str, descriptor: int) -> None:
        """Write an object to a file.

        Raises:
            ObjectNotFound: There is no such object.
        """
        from airflow_mlflow_provider.store._local import write_parts

        write_parts(descriptor, [memoryview(self.get(key))])

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            helper, self._helper = self._helper, None
        if helper is not None:
            helper.connection.close()
            helper.process.wait()

    def abandon(self) -> None:
        """Let go of a helper that belongs to the parent of this process."""
        if self._helper is not None:
            self._helper.connection.close()
            # It is not a child of this process, which therefore cannot and need not wait for it.
            self._helper.process.returncode = 0

    def _ask(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        with self._lock:
            if self._helper is None:
                self._helper = _start(self._location)
            helper = self._helper
            try:
                _send(helper.connection, (method, arguments, keywords))
                answer = _receive(helper.connection)
            except OSError:
                answer = None
            if answer is None:
                self._helper = None
        if answer is None:
            helper.connection.close()
            raise StoreException(
                f"The helper process for {self.url} has died with exit code {helper.process.wait()}.",
                fix="Look at what it wrote to stderr. Starting processes by spawn instead of fork needs no helper.",
                where={"store": self.url},
            )
        succeeded, result = answer
        if not succeeded:
            raise result
        return result


class _Helper(NamedTuple):
    process: subprocess.Popen[bytes]
    connection: socket.socket


def _start(location: tuple[str, str, str]) -> _Helper:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno()), *location],
            pass_fds=[theirs.fileno()],
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
    return _Helper(process, ours)


def _serve(connection: socket.socket, store: Store) -> None:
    while (request := _receive(connection)) is not None:
        method, arguments, keywords = request
        try:
            answer = (True, _plain(getattr(store, method)(*arguments, **keywords)))
        except Exception as error:  # noqa: BLE001 - it is raised at the other end
            answer = (False, error)
        _send(connection, answer)


def _plain(result: Any) -> Any:
    """A result as something that can be pickled."""
    if isinstance(result, memoryview):
        return bytes(result)
    if isinstance(result, Iterator):
        return [*result]
    if isinstance(result, builtins.list):
        return [_plain(item) for item in result]
    return result


def _send(connection: socket.socket, message: Any) -> None:
    data = pickle.dumps(message, protocol=5)
    connection.sendall(_LENGTH.pack(len(data)))
    connection.sendall(data)


def _receive(connection: socket.socket) -> Any:
    """The next message; ``None`` if there is none any more."""
    head = _read(connection, _LENGTH.size)
    if head is None:
        return None
    data = _read(connection, _LENGTH.unpack(head)[0])
    return None if data is None else pickle.loads(data)


def _read(connection: socket.socket, length: int) -> bytearray | None:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return data


def _environment() -> dict[str, str]:
    from airflow_mlflow_provider.configuration import KEYS, get

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for name in _FORWARDED:
        value = get(name)  # type: ignore[call-overload]
        if value is not None:
            environment[KEYS[name].environment_variable] = str(value)
    return environment


def main() -> None:
    """Serve the socket whose number is the first argument."""
    from airflow_mlflow_provider.store._object import ObjectStore

    number, scheme, bucket, prefix = sys.argv[1:]
    with socket.socket(fileno=int(number)) as connection:
        _serve(connection, ObjectStore(scheme, bucket, prefix))


if __name__ == "__main__":
    main()
