"""Artifacts: values of a task, saved when its attempt ends and loaded when they are asked for.

A small artifact goes into the attempt's *pack*, one object for all of them; a large one is a blob of its own, which
is written once however many tasks hold it. Either is named by the digest of its serialised bytes, which tells that an
inherited artifact has not changed, and is verified whenever it is read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_mlflow_provider.exception import MetaflowException, UnpicklableArtifactException
from airflow_mlflow_provider.store import codecs, compression
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import blob_key, put_content
from airflow_mlflow_provider.store.elements import join_elements
from airflow_mlflow_provider.store.hashing import digest_of
from airflow_mlflow_provider.store.loading import ArtifactReader
from airflow_mlflow_provider.store.pickling import ALIGNMENT
from airflow_mlflow_provider.store.preview import preview_of
from airflow_mlflow_provider.store.records import ArtifactEntry, SplitValues

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from typing_extensions import Buffer

__all__ = ["ArtifactReader", "ArtifactWriter"]

# Up to here an artifact shares an object with others: a request costs as much as sending some hundred kilobytes.
_PACKED_BYTES = 256 << 10
_PACK_BYTES = 16 << 20
_PADDING = bytes(ALIGNMENT)
_UPLOADS = 4


class _Place(NamedTuple):
    """Those fields of an entry that say where it is, in their order."""

    pack: str | None
    offset: int
    length: int
    compression: str


class ArtifactWriter:
    """Saves the artifacts of one attempt.

    Nothing is promised to be in the store before :meth:`flush` has returned. No value may change between
    :meth:`add` and :meth:`flush`.

    Args:
        store: Where to.
        pack_key: Key of the pack, to which each writer adds a suffix of its own: should two processes take themselves
            for the same attempt, neither writes over what the other's record refers to.
        mode: Compression; by default what the configuration says.
    """

    def __init__(self, store: Store, pack_key: str, *, mode: compression.Mode | None = None) -> None:
        self._store = store
        self._pack_name = f"{pack_key}-{os.urandom(4).hex()}"
        self._mode = mode or _configured_mode()
        self._packs = 0
        self._pack: list[Buffer] = []
        self._pack_size = 0
        self._known: dict[tuple[str, str], ArtifactEntry] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._uploads: list[Future[Any]] = []

    def add(self, name: str, value: Any, *, previous: ArtifactEntry | None = None) -> ArtifactEntry:
        """Save one artifact.

        Args:
            name: What it is called, for error messages.
            value: Its value.
            previous: Entry of the value that the task started with, if it inherited the artifact.

        Returns:
            Its entry; ``previous``, and nothing is written, if the value has not changed.

        Raises:
            UnpicklableArtifactException: The value, or a member that is named, cannot be stored.
        """
        encoded = _encode(name, value)
        digest = digest_of(encoded.parts, encoded.size)
        if previous is not None and previous.digest == digest and previous.codec == encoded.codec:
            return previous
        known = self._known.get((digest, encoded.codec))
        if known is None:
            place = self._place(digest, encoded.parts, encoded.size)
            known = self._known[digest, encoded.codec] = ArtifactEntry(
                digest, encoded.size, encoded.codec, codecs.type_name(value), *place, preview_of(value)
            )
        return known

    def add_values(self, name: str, values: Sequence[Any]) -> SplitValues:
        """Save the elements of a foreach so that each can be read alone.

        Raises:
            UnpicklableArtifactException: An element, which is named, cannot be stored.
        """
        encoded = [
            _encode(f"{name}[{index}]", value, codecs.encode_pickle) for index, value in enumerate(values)
        ]
        parts, offsets = join_elements(encoded)
        size = offsets[-1]
        digest = digest_of(parts, size)
        place = self._place(digest, parts, size, compressible=False)
        entry = ArtifactEntry(digest, size, "elements", "elements", *place)
        return SplitValues(entry, offsets, codecs.PICKLE)

    def flush(self) -> None:
        """Wait until everything added is in the store.

        Raises:
            StoreException: Something could not be written.
        """
        self._write_pack()
        try:
            for upload in self._uploads:
                upload.result()
        finally:
            self._uploads.clear()
            if self._threads is not None:
                self._threads.shutdown(cancel_futures=True)
                self._threads = None

    def _place(self, digest: str, parts: Sequence[Buffer], size: int, *, compressible: bool = True) -> _Place:
        length, form = size, ""
        if compressible and compression.pays(parts, size, self._mode, remote=self._store.remote):
            parts = compression.compress(parts)
            length, form = sum(map(len, parts)), compression.ZSTD
        if length <= _PACKED_BYTES:
            return _Place(*self._place_in_pack(parts, length), length, form)
        self._start(put_content, self._store, blob_key(digest, form), parts, length)
        return _Place(None, 0, length, form)

    def _place_in_pack(self, parts: Sequence[Buffer], length: int) -> tuple[str, int]:
        gap = -self._pack_size % ALIGNMENT if length >= ALIGNMENT else 0
        if self._pack_size + gap + length > _PACK_BYTES:
            self._write_pack()
            gap = 0
        if gap:
            self._pack.append(_PADDING[:gap])
        offset = self._pack_size + gap
        self._pack.extend(parts)
        self._pack_size = offset + length
        return self._pack_key(), offset

    def _pack_key(self) -> str:
        return self._pack_name if not self._packs else f"{self._pack_name}-{self._packs}"

    def _write_pack(self) -> None:
        if self._pack:
            self._start(self._store.put, self._pack_key(), self._pack)
            self._packs += 1
            self._pack, self._pack_size = [], 0

    def _start(self, write: Any, *arguments: Any) -> None:
        """Write now where that is quick, else while the next artifacts are serialised."""
        if not self._store.remote:
            write(*arguments)
            return
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="artifact-upload")
        self._uploads.append(self._threads.submit(write, *arguments))


def _encode(name: str, value: Any, encode: Any = codecs.encode) -> codecs.Encoded:
    try:
        encoded: codecs.Encoded = encode(value)
    except UnpicklableArtifactException as error:
        raise _unpicklable(name, value, error) from None
    except MetaflowException:
        raise
    except Exception as error:
        raise _unpicklable(name, value, error) from error
    return encoded


def _unpicklable(name: str, value: Any, error: Exception) -> UnpicklableArtifactException:
    from airflow_mlflow_provider.store.offender import find_offender

    offender = find_offender(name, value)
    what = f"{offender.path} ({offender.type})"
    if isinstance(error, UnpicklableArtifactException):
        # A value of ours, such as `self` or `inputs`, which knows what to do instead.
        fix = error.fix
    elif isinstance(error, RecursionError):
        fix = "Store a flatter form of it: it is nested too deeply to be pickled."
    else:
        fix = "Leave it out, build it where it is used, or give its class __getstate__ and __setstate__."
    return UnpicklableArtifactException(
        f"The artifact '{name}' cannot be stored: {what} cannot be pickled: {error}",
        fix=fix,
        where={"artifact": name, "member": offender.path, "type": offender.type},
    )


def _configured_mode() -> compression.Mode:
    from airflow_mlflow_provider.configuration import get

    mode: compression.Mode = get("compression")  # type: ignore[assignment]
    return mode
