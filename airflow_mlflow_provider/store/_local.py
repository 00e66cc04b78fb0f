"""``file://`` and bare paths: a store in a folder, shared by all processes that see it.

An object is a file of the same relative path. Every put writes a file in ``.writing/`` beside the objects, where no
listing looks, and then gives it its name: by a hard link, which fails if the name is taken (create-only), or by a
rename, which replaces. Both are atomic, so an object is whole or absent at any moment and whatever is killed.

No file is flushed to the disk: once ``put`` has returned, the death of any process loses nothing, but the failure of
the machine or of its power can lose what was written in its last half minute. A flush costs more than all the rest
of a small task; records and artifacts carry digests or are JSON, so what a power failure tore is detected when read.
Where that is not enough, use an object store.
"""

# A pathlib call costs as much as the system call that it makes, and a small task makes few others.
# ruff: noqa: PTH103, PTH108, PTH106, PTH113, PTH116, PTH120

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import itertools
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_mlflow_provider.exception import (
    ObjectExists,
    ObjectNotFound,
    StoreAccessDenied,
    StoreConflict,
    StoreException,
    StoreFull,
)
from airflow_mlflow_provider.store.abc import ObjectInfo, Store, as_parts, check_key, check_prefix

if TYPE_CHECKING:
    from typing_extensions import Buffer

_WRITING = ".writing"
_ABANDONED_SECONDS = 24 * 3600.0
_NAMING_ATTEMPTS = 1000
_PARTS_PER_WRITE = 512
# Linux writes at most 2 GiB less a page at once; staying below keeps one path for all systems.
_BYTES_PER_WRITE = 1 << 30
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

_serial = itertools.count()


class LocalStore(Store):
    """Objects as files below a folder, which is made by the first put.

    Args:
        root: The folder; made absolute.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.url = self.root.as_uri()
        self._root = str(self.root)
        self._writing = f"{self._root}/{_WRITING}"
        self._swept = False

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        path = self._path(key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._fail(error, "read", key)
        try:
            end = os.fstat(descriptor).st_size
            if length is not None:
                end = min(end, start + length)
            return _read(descriptor, start, end)
        except OSError as error:
            self._fail(error, "read", key)
        finally:
            os.close(descriptor)

    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        found: builtins.list[bytes | memoryview | None] = []
        for key in keys:
            try:
                found.append(self.get(key))
            except ObjectNotFound:
                found.append(None)
        return found

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        path = self._path(key)
        try:
            temporary = self._write(as_parts(data))
        except OSError as error:
            self._fail(error, "write", key)
        try:
            self._name(temporary, path, create)
        except FileExistsError:
            raise ObjectExists(f"'{key}' exists already in {self.url}.", where={"key": key}) from None
        except OSError as error:
            self._fail(error, "write", key)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def get_versioned(self, key: str) -> tuple[bytes, str]:
        data = bytes(self.get(key))
        return data, _version(data)

    def replace(self, key: str, data: bytes, version: str) -> None:
        try:
            with self._exclusively(key):
                if self.get_versioned(key)[1] == version:
                    self.put(key, data)
                    return
        except ObjectNotFound:
            pass
        except StoreException:
            raise
        except OSError as error:
            self._fail(error, "write", key)
        raise StoreConflict(f"'{key}' in {self.url} was changed by somebody else.", where={"key": key})

    def info(self, key: str) -> ObjectInfo | None:
        return self._info(self._path(key), key)

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        folder = f"{prefix}/" if prefix else ""
        keys = self._walk(folder, after)
        found = (self._info(f"{self._root}/{key}", key) for key in keys)
        return itertools.islice((item for item in found if item is not None), limit)

    def children(self, prefix: str) -> builtins.list[str]:
        check_prefix(prefix)
        return sorted(entry.name for entry in self._entries(f"{prefix}/" if prefix else ""))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self._path(key)
            try:
                os.unlink(path)
            except _ABSENT:
                continue
            except OSError as error:
                self._fail(error, "delete", key)
            self._prune(os.path.dirname(path))

    def local_path(self, key: str) -> Path | None:
        path = self._path(key)
        return Path(path) if os.path.isfile(path) else None

    def close(self) -> None:
        """There is nothing to give back."""

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[int]:
        """A descriptor of a file that becomes the object when the block ends without an error.

        Raises:
            StoreException: The file could not be made or named. Errors of the block are passed on.
        """
        path = self._path(key)
        try:
            temporary, descriptor = self._open()
        except OSError as error:
            self._fail(error, "write", key)
        try:
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            try:
                self._name(temporary, path, create=False)
            except OSError as error:
                self._fail(error, "write", key)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _open(self) -> tuple[str, int]:
        """Make a file nobody looks at; return its path and a descriptor to write to."""
        temporary = f"{self._writing}/{os.getpid()}-{next(_serial)}-{os.urandom(4).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        if not self._swept:
            self._sweep()
        try:
            return temporary, os.open(temporary, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(self._writing, exist_ok=True)
            return temporary, os.open(temporary, flags, 0o666)

    def _write(self, parts: builtins.list[memoryview]) -> str:
        temporary, descriptor = self._open()
        try:
            write_parts(descriptor, parts)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)
        return temporary

    def _name(self, temporary: str, path: str, create: bool) -> None:
        give_name = os.link if create else os.replace
        for attempt in itertools.count():
            try:
                give_name(temporary, path)
            except FileNotFoundError:
                # The folder is missing, or a delete that emptied it took it away between these two lines.
                if attempt == _NAMING_ATTEMPTS:
                    raise
                with contextlib.suppress(FileNotFoundError):
                    os.makedirs(os.path.dirname(path), exist_ok=True)
            else:
                return

    def _sweep(self) -> None:
        """Remove what writers that died long ago left; once for each store and process, usually an empty folder."""
        self._swept = True
        limit = time.time() - _ABANDONED_SECONDS
        with contextlib.suppress(FileNotFoundError), os.scandir(self._writing) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file() and entry.stat().st_mtime < limit:
                        os.unlink(entry.path)

    def _prune(self, folder: str) -> None:
        """Remove folders that a delete left empty, upwards, because object stores have no empty folders."""
        while len(folder) > len(self._root):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    @contextlib.contextmanager
    def _exclusively(self, key: str) -> Iterator[None]:
        """Hold the lock under which objects of one name are replaced; the system lets go of it if this process dies."""
        import hashlib

        name = hashlib.blake2b(key.encode(), digest_size=1).hexdigest()
        os.makedirs(f"{self._writing}/locks", exist_ok=True)
        descriptor = os.open(f"{self._writing}/locks/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _info(self, path: str, key: str) -> ObjectInfo | None:
        try:
            found = os.stat(path)
        except _ABSENT:
            return None
        except OSError as error:
            self._fail(error, "read", key)
        if stat.S_ISDIR(found.st_mode):
            return None
        return ObjectInfo(key, found.st_size, found.st_mtime)

    def _entries(self, folder: str) -> builtins.list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self._root}/{folder}") as entries:
                return [entry for entry in entries if folder or not entry.name.startswith(".")]
        except _ABSENT:
            return []
        except OSError as error:
            self._fail(error, "list", folder)

    def _named(self, folder: str) -> Iterator[str]:
        """The keys in a folder and the folders, these with a slash, in the order of keys."""
        # A folder sorts as its name with a slash does, which is where its keys are. Texts sort as their UTF-8 bytes do.
        return iter(
            sorted(
                f"{folder}{entry.name}/" if entry.is_dir() else f"{folder}{entry.name}"
                for entry in self._entries(folder)
            )
        )

    def _walk(self, folder: str, after: str) -> Iterator[str]:
        """Keys below ``folder`` (which ends with a slash) that are greater than ``after``, in order."""
        waiting = [self._named(folder)]
        while waiting:
            for name in waiting[-1]:
                if not name.endswith("/"):
                    if name > after:
                        yield name
                elif name > after or after.startswith(name):
                    waiting.append(self._named(name))
                    break
            else:
                waiting.pop()

    def _fail(self, error: OSError, verb: str, key: str) -> NoReturn:
        if isinstance(error, _ABSENT) and verb != "write":
            raise ObjectNotFound(f"There is no '{key}' in {self.url}.", where={"key": key}) from None
        what = f"Could not {verb} '{key}' in {self.url}: {error.strerror or error}."
        if error.errno in _FULL:
            raise StoreFull(
                what, fix="Free some space, or use another store.", where={"key": key, "store": self.url}
            ) from error
        if error.errno in _DENIED:
            raise StoreAccessDenied(
                what, fix="Give this user access to the folder.", where={"key": key, "store": self.url}
            ) from error
        raise StoreException(what, where={"key": key, "store": self.url}) from error


def write_parts(descriptor: int, parts: Sequence[memoryview]) -> None:
    """Write all of ``parts`` where the file stands, without joining them."""
    pending = list(parts)
    position = 0
    while position < len(pending):
        batch: list[memoryview] = []
        room = _BYTES_PER_WRITE
        for part in itertools.islice(pending, position, position + _PARTS_PER_WRITE):
            batch.append(part[:room])
            room -= len(batch[-1])
            if room <= 0:
                break
        written = os.writev(descriptor, batch)
        while position < len(pending) and written >= len(pending[position]):
            written -= len(pending[position])
            position += 1
        if written:
            pending[position] = pending[position][written:]


def _read(descriptor: int, start: int, end: int) -> bytes:
    data = os.pread(descriptor, max(0, end - start), start)
    if len(data) == max(0, end - start):
        return data
    chunks = [data]
    position = start + len(data)
    while position < end and (chunk := os.pread(descriptor, end - position, position)):
        chunks.append(chunk)
        position += len(chunk)
    return b"".join(chunks)


def _version(data: bytes) -> str:
    import hashlib

    return hashlib.blake2b(data, digest_size=16).hexdigest()
