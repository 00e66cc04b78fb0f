"""Values in the artifact store under the digest of their bytes, for what is no artifact of a flow's task.

They have keys of their own, ``values/ab/<digest>``. What refers to them, Airflow's database, is not seen from the
store, so nothing that cleans up after runs may ever take them for garbage. Old ones can be ended by a lifecycle rule
of the bucket: whoever stores a value again that is older than a day makes it young again.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import (
    MetaflowException,
    ObjectNotFound,
    UnpicklableArtifactException,
    UnreadableArtifactException,
)
from airflow_mlflow_provider.store import codecs as artifact_codecs
from airflow_mlflow_provider.store import compression
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import check_digest, put_content
from airflow_mlflow_provider.store.hashing import digest_of
from airflow_mlflow_provider.store.preview import preview_of
from airflow_mlflow_provider.store.records import ArtifactEntry
from airflow_mlflow_provider.xcom import codecs

if TYPE_CHECKING:
    from airflow_mlflow_provider.store.codecs import Encoded

_PREVIEW_BYTES = 2048
_ALLOW = "Set xcom_allow_pickle = True in [mlflow_provider] (AIRFLOW__MLFLOW_PROVIDER__XCOM_ALLOW_PICKLE)"


def value_key(entry: ArtifactEntry) -> str:
    """Key of the object that holds a value."""
    suffix = ".zst" if entry.compression else ""
    return f"values/{entry.digest[:2]}/{entry.digest}{suffix}"


class ValueStore:
    """Writes and reads values; equal values are written once.

    Args:
        store: The artifact store.
        allow_pickle: Whether what has no safe form may be pickled, and pickles read; by default what the
            configuration says.
    """

    def __init__(self, store: Store, *, allow_pickle: bool | None = None) -> None:
        self.store = store
        self._allow_pickle = get("xcom_allow_pickle") if allow_pickle is None else allow_pickle

    def write(self, name: str, value: Any) -> ArtifactEntry:
        """Store a value.

        Args:
            name: What it is called, for error messages.
            value: The value.

        Returns:
            Where it is and what it is. It is in the store already.

        Raises:
            UnpicklableArtifactException: It has no safe form and pickles are not allowed, or it cannot be pickled.
            StoreException: It could not be written.
        """
        return self._put(value, self._encode(name, value))

    def write_tree(self, value: Any, tree: codecs.Tree) -> ArtifactEntry:
        """Store a value that has been taken apart already.

        Raises:
            Unsupported: The tree holds what is no JSON.
            StoreException: It could not be written.
        """
        return self._put(value, codecs.encode(tree))

    def read(self, name: str, entry: ArtifactEntry) -> Any:
        """The value of an entry.

        Raises:
            ObjectNotFound: The store does not have it.
            CorruptedDataException: Its bytes are not those that were stored.
            UnreadableArtifactException: It is a pickle and those are not allowed, or a module is missing here.
        """
        if entry.codec != codecs.TREE and not self._allow_pickle:
            raise UnreadableArtifactException(
                f"{name} ({entry.type}) is a pickle and xcom_allow_pickle is not set: reading one runs code of its writer's.",
                fix=f"{_ALLOW} where tasks run, if all who can write to {self.store.url} are trusted.",
                where={"artifact": name, "type": entry.type},
            )
        data = self._bytes(name, entry)
        try:
            return (
                codecs.decode(data)
                if entry.codec == codecs.TREE
                else artifact_codecs.decode(entry.codec, data)
            )
        except MetaflowException:
            raise
        except Exception as error:
            raise UnreadableArtifactException(
                f"{name} ({entry.type}) cannot be read: {type(error).__name__}: {error}.",
                fix="Install the packages of the task that wrote it; for classes of your own see Airflow's "
                "[core] allowed_deserialization_classes.",
                where={"artifact": name, "type": entry.type},
            ) from error

    def _encode(self, name: str, value: Any) -> Encoded:
        try:
            return codecs.encode(codecs.plant(value))
        except codecs.Unsupported as error:
            if not self._allow_pickle:
                raise UnpicklableArtifactException(
                    f"{name} ({artifact_codecs.type_name(value)}) has no form but a pickle, and xcom_allow_pickle is not set: {error}",
                    fix=f"{_ALLOW}, or return arrays, frames and JSON.",
                    where={"artifact": name, "type": artifact_codecs.type_name(value)},
                ) from error
        try:
            return artifact_codecs.encode_pickle(value)
        except Exception as error:
            raise UnpicklableArtifactException(
                f"{name} ({artifact_codecs.type_name(value)}) cannot be stored: {error}",
                fix="Return what it was made from, or give its class __getstate__ and __setstate__.",
                where={"artifact": name, "type": artifact_codecs.type_name(value)},
            ) from error

    def _put(self, value: Any, encoded: Encoded) -> ArtifactEntry:
        parts, length, form = encoded.parts, encoded.size, ""
        digest = digest_of(parts, encoded.size)
        mode: compression.Mode = get("compression")  # type: ignore[assignment]
        if compression.pays(parts, encoded.size, mode, remote=self.store.remote):
            parts = list(compression.compress(parts))
            length, form = sum(map(len, parts)), compression.ZSTD  # type: ignore[arg-type]
        entry = ArtifactEntry(
            digest,
            encoded.size,
            encoded.codec,
            artifact_codecs.type_name(value),
            length=length,
            compression=form,
            preview=_preview(value),
        )
        put_content(self.store, value_key(entry), parts, length)
        return entry

    def _bytes(self, name: str, entry: ArtifactEntry) -> memoryview:
        key = value_key(entry)
        try:
            data = self._stored(key)
        except ObjectNotFound:
            raise ObjectNotFound(
                f"{name} is not in {self.store.url}: there is no object '{key}'.",
                fix="See that this is the store the value was written to, or run the task again.",
                where={"artifact": name, "key": key, "store": self.store.url},
            ) from None
        if entry.compression:
            data = compression.decompress(data, entry.size)
        check_digest(data, entry.digest, key, name)
        return data

    def _stored(self, key: str) -> memoryview:
        path = self.store.local_path(key)
        if path is None:
            return memoryview(bytearray(self.store.get(key)))
        with path.open("rb") as file:
            # Private: an array may be written to, which changes this process's copy of the page and never the file.
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def _preview(value: Any) -> Any:
    preview = preview_of(value)
    return preview if codecs.fits_database(preview, _PREVIEW_BYTES) else None
