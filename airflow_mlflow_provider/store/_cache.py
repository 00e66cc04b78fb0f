"""A folder of this machine in front of a remote store, shared by all its processes.

Only objects that never change are kept: blobs, code packages, packs, and the records of runs and of done attempts.
What is put goes into the folder as well, so that the next task on this machine reads it from there, and a large object
that is read is mapped from there. A file appears in the folder whole or not at all. Losing the folder loses nothing.

The folder is kept below ``client_cache_max_size`` MB by removing the files that were not used for longest. Use is
noted at most once an hour for each file, and the sum of sizes is taken once for each twentieth of the limit that this
process has added.
"""

from __future__ import annotations

import builtins
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_mlflow_provider.exception import ObjectNotFound, StoreException
from airflow_mlflow_provider.store._local import LocalStore
from airflow_mlflow_provider.store._remote import RemoteStore
from airflow_mlflow_provider.store.abc import ObjectInfo, Store, as_parts, check_key

if TYPE_CHECKING:
    from typing_extensions import Buffer

_IMMUTABLE = re.compile(
    r"blobs/.*|code/.*|flows/[^/]+/runs/[^/]+/(?:run\.json|carried\.json|tasks/[^/]+/[^/]+/[^/]+/(?:done\.json|pack-.*))"
)
_USE_NOTED_SECONDS = 3600.0
_ROOM_LEFT = 0.8
_CHECKS = 20


class CachedStore(Store):
    """A remote store and the copies of its objects on this machine.

    Args:
        store: The remote store.
        folder: Folder of the copies; of this store only.
        limit: Most bytes of copies; by default ``client_cache_max_size``. 0 keeps none.
    """

    remote = True

    def __init__(self, store: RemoteStore, folder: Path, *, limit: int | None = None) -> None:
        self.url = store.url
        self.folder = folder
        self._store = store
        self._copies = LocalStore(folder)
        self._limit = _configured_limit() if limit is None else limit
        self._added = 0
        # Whether copies can be made: an unwritable or full disk must not keep anybody from working.
        self._usable = self._limit > 0

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        if not self._is_kept(key):
            return self._store.get(key, start=start, length=length)
        copy = self._copy(key, start, length)
        if copy is not None:
            return copy
        data = self._store.get(key, start=start, length=length)
        if not start and length is None:
            self._keep(key, data)
        return data

    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        found = [self._copy(key) if self._is_kept(key) else None for key in keys]
        missing = [index for index, data in enumerate(found) if data is None]
        fetched = self._store.get_many([keys[index] for index in missing]) if missing else []
        for index, data in zip(missing, fetched, strict=True):
            found[index] = data
            if data is not None and self._is_kept(keys[index]):
                self._keep(keys[index], data)
        return found

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        parts = as_parts(data)
        self._store.put(key, parts, create=create)
        if self._is_kept(key):
            self._keep(key, parts)

    def get_versioned(self, key: str) -> tuple[bytes, str]:
        return self._store.get_versioned(key)

    def replace(self, key: str, data: bytes, version: str) -> None:
        self._store.replace(key, data, version)

    def info(self, key: str) -> ObjectInfo | None:
        return self._store.info(key)

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        return self._store.list(prefix, after=after, limit=limit)

    def children(self, prefix: str) -> builtins.list[str]:
        return self._store.children(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        named = [*keys]
        self._store.delete(named)
        with suppress(StoreException):
            self._copies.delete(named)

    def local_path(self, key: str) -> Path | None:
        if not self._is_kept(key):
            return None
        path = self._copies.local_path(key)
        if path is None and self._download(key):
            path = self._copies.local_path(key)
        elif path is not None:
            self._note_use(path)
        return path

    def close(self) -> None:
        self._store.close()

    def _is_kept(self, key: str) -> bool:
        return self._usable and _IMMUTABLE.fullmatch(check_key(key)) is not None

    def _copy(self, key: str, start: int = 0, length: int | None = None) -> bytes | memoryview | None:
        try:
            data = self._copies.get(key, start=start, length=length)
        except StoreException:
            return None
        self._note_use(self.folder / key)
        return data

    def _keep(self, key: str, data: Buffer | Sequence[Buffer]) -> None:
        parts = as_parts(data)
        size = sum(part.nbytes for part in parts)
        if size > self._limit:
            return
        try:
            self._copies.put(key, parts)
        except StoreException:
            self._usable = False
        else:
            self._count(size)

    def _download(self, key: str) -> bool:
        try:
            with self._copies.writing(key) as descriptor:
                self._store.download(key, descriptor)
                size = os.fstat(descriptor).st_size
        except ObjectNotFound:
            return False
        except OSError as error:
            # StoreException is an OSError, too: of the folder, which is given up, or of the store, which is not.
            if isinstance(error, StoreException) and error.where.get("store") == self.url:
                raise
            self._usable = False
            return False
        self._count(size)
        return True

    def _note_use(self, path: Path) -> None:
        now = time.time()
        with suppress(OSError):
            if now - path.stat().st_mtime > _USE_NOTED_SECONDS:
                os.utime(path)

    def _count(self, size: int) -> None:
        self._added += size
        if self._added > self._limit // _CHECKS:
            self._added = 0
            self._evict()

    def _evict(self) -> None:
        copies = sorted(_files(self.folder))
        total = sum(copy.size for copy in copies)
        if total <= self._limit:
            return
        for copy in copies:
            with suppress(OSError):
                # A process that has the file mapped keeps its pages.
                copy.path.unlink()
            total -= copy.size
            if total <= self._limit * _ROOM_LEFT:
                return


class _File(NamedTuple):
    used: float
    path: Path
    size: int


def default_folder(url: str) -> Path:
    """Folder of the copies of the store at ``url``: below ``client_cache_path``, else the user's cache folder."""
    from airflow_mlflow_provider.configuration import get

    configured = get("client_cache_path")
    name = hashlib.blake2b(url.encode(), digest_size=12).hexdigest()
    if configured:
        return Path(configured).expanduser() / name
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:
        # A pod's user may have no home.
        root = _temporary_root()
    return root / "airflow_mlflow_provider" / name


def _temporary_root() -> Path:
    """A folder for temporary files that nobody else can write to."""
    root = Path(tempfile.gettempdir()) / f"airflow-mlflow-provider-{os.getuid()}"
    with suppress(FileExistsError):
        root.mkdir(mode=0o700)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        return Path(tempfile.mkdtemp())
    return root


def _configured_limit() -> int:
    from airflow_mlflow_provider.configuration import get

    return get("client_cache_max_size") << 20


def _files(folder: Path) -> Iterator[_File]:
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            with suppress(OSError):
                found = path.stat()
                yield _File(found.st_mtime, path, found.st_size)
