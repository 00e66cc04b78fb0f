"""Loading artifacts: find the bytes, verify them, give them to their codec."""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlflow_provider.exception import (
    CorruptedDataException,
    MetaflowException,
    ObjectNotFound,
    UnreadableArtifactException,
)
from airflow_mlflow_provider.store import codecs, compression
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import blob_key, check_digest
from airflow_mlflow_provider.store.elements import ELEMENT_DIGEST_BYTES, open_element
from airflow_mlflow_provider.store.records import ArtifactEntry, SplitValues

_HELD_BYTES = 64 << 20
_MAPPED_BYTES = 1 << 20
_DOWNLOADS = 8


class ArtifactReader:
    """Loads artifacts from a store.

    Each load gives a value of its own: large arrays use a private, copy-on-write mapping of the stored file, so that
    they are there at once and may be written to without anybody else seeing it. Packs that were read are held in
    memory, up to 64 MiB of them.

    Args:
        store: Where from.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._packs: OrderedDict[str, memoryview] = OrderedDict()
        self._held = 0

    def load(self, name: str, entry: ArtifactEntry, where: Mapping[str, Any] = {}) -> Any:
        """The value of an artifact.

        Args:
            name: What it is called, for error messages.
            entry: Its entry.
            where: Flow, run, step, task … of the artifact, for error messages.

        Raises:
            ObjectNotFound: The store has lost the object that holds it.
            CorruptedDataException: The bytes are not those that were stored.
            UnreadableArtifactException: A module, a name in a module, or a codec is missing here.
        """
        known = {"artifact": name, **where}
        key = entry.pack or blob_key(entry.digest, entry.compression)
        data = self._packed(entry, key) if entry.pack is not None else self._blob(entry, key)
        if entry.compression:
            try:
                data = compression.decompress(data, entry.size)
            except ValueError as error:
                raise _corrupted(name, key, f"they do not decompress: {error}", known) from error
        try:
            check_digest(data, entry.digest, key, f"The artifact '{name}'")
        except CorruptedDataException as error:
            error.where.update(known)
            raise
        return self._decode(name, entry.codec, entry.type, data, known)

    def load_many(self, entries: Mapping[str, ArtifactEntry]) -> dict[str, Any]:
        """The values of several artifacts; their objects are fetched at once.

        Raises:
            ObjectNotFound: As for :meth:`load`.
            CorruptedDataException: As for :meth:`load`.
            UnreadableArtifactException: As for :meth:`load`.
        """
        missing = {entry.pack for entry in entries.values() if entry.pack} - self._packs.keys()
        for key, data in zip(missing, self.store.get_many(list(missing)), strict=True):
            if data is not None:
                self._hold(key, data)
        blobs = sum(entry.pack is None for entry in entries.values())
        if not self.store.remote or blobs < 2:
            return {name: self.load(name, entry) for name, entry in entries.items()}
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(blobs, _DOWNLOADS)) as threads:
            values = threads.map(self.load, entries.keys(), entries.values())
            return dict(zip(entries, values, strict=True))

    def element(self, values: SplitValues, index: int) -> Any:
        """One element of a foreach, without reading the others.

        Raises:
            IndexError: There is no such element.
            ObjectNotFound: As for :meth:`load`.
            CorruptedDataException: As for :meth:`load`.
            UnreadableArtifactException: As for :meth:`load`.
        """
        count = len(values.offsets) - 1
        if not 0 <= index < count:
            raise IndexError(f"There are {count} elements; {index} is not one of them.")
        entry = values.entry
        key = entry.pack or blob_key(entry.digest, entry.compression)
        start = entry.offset + values.offsets[index]
        name = f"element {index} of the foreach"
        pickle = open_element(self._range(key, start, entry.offset + values.offsets[index + 1]))
        if pickle is None:
            raise _corrupted(name, key, "its digest is not the one it was stored with", {"index": index})
        return self._decode(name, values.codec, "element", pickle, {"index": index})

    def element_digest(self, values: SplitValues, index: int) -> str:
        """What tells one element of a foreach from others: hex digits of its digest, read from the element's head.

        Raises:
            ObjectNotFound: The store has lost the object that holds it.
        """
        entry = values.entry
        key = entry.pack or blob_key(entry.digest, entry.compression)
        start = entry.offset + values.offsets[index]
        return bytes(self._range(key, start, start + ELEMENT_DIGEST_BYTES)).hex()

    def _range(self, key: str, start: int, end: int) -> memoryview:
        if key in self._packs:
            return _own(self._packs[key][start:end])
        path = self.store.local_path(key) if end - start >= _MAPPED_BYTES else None
        if path is not None:
            return _map(path, key)[start:end]
        return _own(self.store.get(key, start=start, length=end - start))

    def _packed(self, entry: ArtifactEntry, key: str) -> memoryview:
        pack = self._packs.get(key)
        if pack is None:
            pack = self._hold(key, self.store.get(key))
        # The bytes that a value may keep, or write to, are never those of the pack.
        return _own(pack[entry.offset : entry.offset + entry.length])

    def _hold(self, key: str, data: bytes | memoryview) -> memoryview:
        pack = memoryview(data)
        if key not in self._packs:
            self._packs[key] = pack
            self._held += len(pack)
            while self._held > _HELD_BYTES and len(self._packs) > 1:
                self._held -= len(self._packs.popitem(last=False)[1])
        return pack

    def _blob(self, entry: ArtifactEntry, key: str) -> memoryview:
        path = self.store.local_path(key)
        if path is not None:
            return _map(path, key)
        data = memoryview(self.store.get(key))
        return data if entry.compression else _own(data)

    @staticmethod
    def _decode(name: str, codec: str, kind: str, data: memoryview, where: Mapping[str, Any]) -> Any:
        try:
            return codecs.decode(codec, data)
        except MetaflowException:
            raise
        except ModuleNotFoundError as error:
            reason = f"the module '{error.name}' is not installed here"
            fix = f"Install the package that has '{error.name}', in the version the step used."
            cause: Exception = error
        except codecs.UnknownCodec as error:
            reason = f"no serializer '{codec}' is installed here"
            fix = "Install the package that wrote it."
            cause = error
        except Exception as error:  # noqa: BLE001 - rebuilding a value runs any code
            reason = f"{type(error).__name__}: {error}"
            fix = "Use the same versions of the code and of the packages as the step that wrote it."
            cause = error
        raise UnreadableArtifactException(
            f"The artifact '{name}' ({kind}) cannot be read: {reason}.",
            fix=fix,
            where={**where, "type": kind, "module": getattr(cause, "name", None)},
        ) from cause


def _map(path: Path, key: str) -> memoryview:
    """A private mapping of a file: writes change this process's copy of the page, never the file."""
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except FileNotFoundError:
        raise ObjectNotFound(f"'{key}' was deleted while it was read.", where={"key": key}) from None
    except ValueError:
        # An empty file cannot be mapped; nothing empty is ever stored as a blob, so the digest will not match.
        return memoryview(bytearray())


def _own(data: bytes | memoryview) -> memoryview:
    return memoryview(bytearray(data))


def _corrupted(name: str, key: str, reason: str, where: Mapping[str, Any]) -> CorruptedDataException:
    return CorruptedDataException(
        f"The artifact '{name}' is corrupted: the bytes of '{key}' are not those that were stored, {reason}.",
        fix="Restore the object from a backup, or run the step that wrote it again.",
        where={"key": key, **where},
    )
