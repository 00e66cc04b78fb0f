"""A remote store that works in forked processes, too.

The client of :mod:`._object` must not be used in a process forked from one that has used it: its threads do not
survive the fork. In such a process the work is done by :mod:`._broker`, a helper process started afresh. Where the
parent had not used it, and in spawned processes, it is used directly.
"""

from __future__ import annotations

import builtins
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlflow_provider.store.abc import ObjectInfo, Store

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from airflow_mlflow_provider.store._broker import BrokeredStore
    from airflow_mlflow_provider.store._object import ObjectStore

_used_in: int | None = None


def client_is_usable() -> bool:
    """Whether this process may use obstore; marks it as one that does. Ask before any first use of the client."""
    global _used_in  # noqa: PLW0603 - it describes the process
    if _used_in is None:
        _used_in = os.getpid()
    return _used_in == os.getpid()


class RemoteStore(Store):
    """Objects of a bucket below a prefix, from any process.

    Args:
        scheme: ``s3``, ``gs`` or ``az``.
        bucket: Bucket or container.
        prefix: Prefix of all keys, without slashes at its ends.
    """

    remote = True

    def __init__(self, scheme: str, bucket: str, prefix: str) -> None:
        self.url = f"{scheme}://{bucket}/{prefix}".rstrip("/")
        self._location = (scheme, bucket, prefix)
        self._made: tuple[int, ObjectStore | BrokeredStore] | None = None
        self._lock = threading.Lock()
        _stores.add(self)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        return self._store().get(key, start=start, length=length)

    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        return self._store().get_many(keys)

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        self._store().put(key, data, create=create)

    def get_versioned(self, key: str) -> tuple[bytes, str]:
        return self._store().get_versioned(key)

    def replace(self, key: str, data: bytes, version: str) -> None:
        self._store().replace(key, data, version)

    def info(self, key: str) -> ObjectInfo | None:
        return self._store().info(key)

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        return self._store().list(prefix, after=after, limit=limit)

    def children(self, prefix: str) -> builtins.list[str]:
        return self._store().children(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._store().delete(keys)

    def local_path(self, key: str) -> Path | None:
        return self._store().local_path(key)

    def download(self, key: str, descriptor: int) -> None:
        """Write an object to a file.

        Raises:
            ObjectNotFound: There is no such object.
        """
        self._store().download(key, descriptor)

    def close(self) -> None:
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made[1].close()

    def _store(self) -> ObjectStore | BrokeredStore:
        made = self._made
        if made is not None and made[0] == os.getpid():
            return made[1]
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), self._make())
            return self._made[1]

    def _make(self) -> ObjectStore | BrokeredStore:
        if client_is_usable():
            from airflow_mlflow_provider.store._object import ObjectStore

            return ObjectStore(*self._location)
        from airflow_mlflow_provider.store._broker import BrokeredStore

        return BrokeredStore(*self._location)

    def forget(self) -> None:
        """Begin anew in a forked process."""
        # A lock that another thread of the parent held would never be released here.
        self._lock = threading.Lock()
        made, self._made = self._made, None
        if made is not None:
            made[1].abandon()


_stores: weakref.WeakSet[RemoteStore] = weakref.WeakSet()


def _forget_all() -> None:
    for store in [*_stores]:
        store.forget()


os.register_at_fork(after_in_child=_forget_all)
