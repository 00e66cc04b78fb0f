"""The contract of a store: everything this package asks of a file system or an object store.

A store maps keys to immutable-looking byte strings. What callers rely on, and what
:class:`airflow_mlflow_provider.testing.store.StoreConformance` checks of every backend:

**Atomic put.** An object is there as a whole or not at all, whatever kills the writer, and whenever somebody looks.

**Create-only put.** Of any number of writers that ``put(..., create=True)`` one key, exactly one succeeds; the others
get :class:`ObjectExists`. This is the only form of agreement between processes: there are no locks and no rename.

**Strong reads.** A read or a listing that starts after a put or a delete has returned reflects it.

**Absence is** :class:`ObjectNotFound` from ``get``, ``None`` from ``get_many`` and ``size``, and nothing at all in
listings and deletes.

**Listings are by folder and in key order.** A prefix is a sequence of whole key segments: ``"a/b"`` covers ``"a/b/c"``
and neither ``"a/b"`` nor ``"a/bc"``. Keys come in the order of their UTF-8 bytes.

**Bytes in, bytes out.** ``put`` takes one buffer or a list of parts and does not join large ones in memory. What ``get``
returns must not be written to.

A store is safe to use from many threads. It connects when it is first used and once for each process, so a store made
before a ``fork`` works in the child as well.

Keys are ``/``-separated segments. :func:`check_key` says what a segment may be.
"""

from __future__ import annotations

import builtins
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from airflow_mlflow_provider.exception import MetaflowInternalError

# Of the URLs of stores that are reached over a network.
REMOTE_SCHEMES = ("s3", "gs", "az")

if TYPE_CHECKING:
    from typing_extensions import Buffer

# A segment is at most 240 bytes where it becomes a file name; the first one may not start with a dot, so that a
# backend has room for files of its own.
_SEGMENT_BYTES = 240
_BAD_KEY = re.compile(r"[\x00-\x1f\x7f\\]|^\.|(?:^|/)\.{0,2}(?:/|$)")


class ObjectInfo(NamedTuple):
    """An object in a listing.

    Attributes:
        key: Its key.
        size: Its length in bytes.
        modified: When it was last put, in Unix seconds.
    """

    key: str
    size: int
    modified: float


class Store(ABC):
    """Objects by key, below one URL.

    Every method may raise :class:`StoreException` or one of its subclasses: :class:`StoreAccessDenied` when
    credentials are missing or do not suffice, :class:`StoreFull` when no space is left.
    """

    url: str
    # Whether each call is a request over a network, which decides between a probe and a write that may be superfluous.
    remote: ClassVar[bool] = False

    @abstractmethod
    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        """Read an object, or ``length`` bytes of it from byte ``start``; fewer where the object ends before.

        Raises:
            ObjectNotFound: There is no such object.
        """

    @abstractmethod
    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        """Read whole objects at once, in the order of ``keys``; ``None`` stands for one that is not there."""

    @abstractmethod
    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        """Write an object from one buffer or a list of parts; it replaces the one that is there unless ``create``.

        Raises:
            ObjectExists: ``create`` was asked for and the object exists.
        """

    @abstractmethod
    def get_versioned(self, key: str) -> tuple[bytes, str]:
        """Read a small object together with what names this version of it.

        Raises:
            ObjectNotFound: There is no such object.
        """

    @abstractmethod
    def replace(self, key: str, data: bytes, version: str) -> None:
        """Write an object if it still is the version that :meth:`get_versioned` gave.

        All writers of such an object must create it with ``put(..., create=True)`` and change it with this method.

        Raises:
            StoreConflict: Somebody else changed or deleted it.
        """

    @abstractmethod
    def info(self, key: str) -> ObjectInfo | None:
        """What a listing would say of one object; ``None`` if it is not there."""

    def size(self, key: str) -> int | None:
        """Length of an object in bytes; ``None`` if it is not there."""
        found = self.info(key)
        return None if found is None else found.size

    @abstractmethod
    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """All objects below ``prefix`` in key order.

        Args:
            prefix: Whole segments, without a slash at the end; ``""`` is everything.
            after: Only keys greater than this full key.
            limit: At most so many.
        """

    @abstractmethod
    def children(self, prefix: str) -> builtins.list[str]:
        """The names one level below ``prefix``, of folders and of objects, sorted; one delimiter listing."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are passed over."""

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """A file on this machine that holds exactly the object's bytes, to be mapped read-only or copy-on-write.

        ``None`` if the object is not there, or if this store has no such file and makes none.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back connections and threads. The store may be used again; it connects anew."""


def check_key(key: str) -> str:
    """Return ``key`` if it can be one.

    Segments are not empty, not ``.`` or ``..``, hold no control character and no backslash, and are at most 240
    bytes of UTF-8; the first one does not start with a dot.

    Raises:
        MetaflowInternalError: It cannot; names from users are validated before they get here.
    """
    if _BAD_KEY.search(key) or (
        len(key) > _SEGMENT_BYTES // 4 and any(len(part.encode()) > _SEGMENT_BYTES for part in key.split("/"))
    ):
        raise MetaflowInternalError(f"{key!r} cannot be the key of an object.")
    return key


def check_prefix(prefix: str) -> str:
    """Return ``prefix`` if it is empty or can be a key.

    Raises:
        MetaflowInternalError: It cannot.
    """
    return check_key(prefix) if prefix else prefix


def as_parts(data: Buffer | Sequence[Buffer]) -> list[memoryview]:
    """The parts of what was given to :meth:`Store.put`, as flat views of bytes, the empty ones left out."""
    buffers: Iterable[Buffer] = data if isinstance(data, (list, tuple)) else (data,)
    views = (memoryview(buffer) for buffer in buffers)
    return [
        view if view.format == "B" and view.ndim == 1 else view.cast("B") for view in views if view.nbytes
    ]
