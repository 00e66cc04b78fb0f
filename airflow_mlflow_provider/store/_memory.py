"""``memory://name``: a store in this process, for tests and examples.

Stores of one name share their objects, in all threads of the process. A forked child has a copy.
"""

from __future__ import annotations

import builtins
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_mlflow_provider.exception import ObjectExists, ObjectNotFound, StoreConflict
from airflow_mlflow_provider.store.abc import ObjectInfo, Store, as_parts, check_key, check_prefix

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Object(NamedTuple):
    data: bytes
    version: int
    modified: float


class _Room:
    """The objects of one name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.versions = itertools.count()
        self.objects: dict[str, _Object] = {}

    def write(self, key: str, data: bytes) -> None:
        self.objects[key] = _Object(data, next(self.versions), time.time())


_rooms: dict[str, _Room] = {}


class MemoryStore(Store):
    """Objects in a dictionary.

    Args:
        name: Which dictionary, of all that this process holds.
    """

    def __init__(self, name: str) -> None:
        self.url = f"memory://{name}"
        self._room = _rooms.setdefault(name, _Room())

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        data = self._read(key).data
        if not start and length is None:
            return data
        return data[start : None if length is None else start + length]

    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        found = [self._room.objects.get(check_key(key)) for key in keys]
        return [None if item is None else item.data for item in found]

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        check_key(key)
        joined = b"".join(as_parts(data))
        with self._room.lock:
            if create and key in self._room.objects:
                raise ObjectExists(f"'{key}' exists already in {self.url}.", where={"key": key})
            self._room.write(key, joined)

    def get_versioned(self, key: str) -> tuple[bytes, str]:
        found = self._read(key)
        return found.data, str(found.version)

    def replace(self, key: str, data: bytes, version: str) -> None:
        with self._room.lock:
            found = self._room.objects.get(check_key(key))
            if found is None or str(found.version) != version:
                raise StoreConflict(
                    f"'{key}' in {self.url} was changed by somebody else.", where={"key": key}
                )
            self._room.write(key, bytes(data))

    def info(self, key: str) -> ObjectInfo | None:
        found = self._room.objects.get(check_key(key))
        return None if found is None else ObjectInfo(key, len(found.data), found.modified)

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        begin = f"{check_prefix(prefix)}/" if prefix else ""
        # Code points sort like the UTF-8 bytes they become.
        keys = sorted(key for key in self._snapshot() if key.startswith(begin) and key > after)
        return itertools.islice(filter(None, map(self.info, keys)), limit)

    def children(self, prefix: str) -> builtins.list[str]:
        begin = f"{check_prefix(prefix)}/" if prefix else ""
        below = (key[len(begin) :] for key in self._snapshot() if key.startswith(begin))
        return sorted({name.partition("/")[0] for name in below})

    def delete(self, keys: Iterable[str]) -> None:
        with self._room.lock:
            for key in keys:
                self._room.objects.pop(check_key(key), None)

    def local_path(self, key: str) -> Path | None:
        return None

    def close(self) -> None:
        """There is nothing to give back; the objects stay."""

    def _read(self, key: str) -> _Object:
        found = self._room.objects.get(check_key(key))
        if found is None:
            raise ObjectNotFound(f"There is no '{key}' in {self.url}.", where={"key": key})
        return found

    def _snapshot(self) -> builtins.list[str]:
        with self._room.lock:
            return [*self._room.objects]
