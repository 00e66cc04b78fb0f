"""Reading what is stored as JSON with a version."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from airflow_mlflow_provider.exception import CorruptedDataException, UnreadableArtifactException


class Versioned(Protocol):
    """What says in which version of its form it was written."""

    @property
    def version(self) -> int:
        """The version."""
        ...


Kind = TypeVar("Kind", bound=Versioned)


def decode_versioned(
    data: bytes | memoryview, kind: type[Kind], newest: int, *, called: str, key: str, fix: str
) -> Kind:
    """An object of the store.

    Args:
        data: What is stored.
        kind: What it is decoded to.
        newest: The version that this code writes.
        called: What messages call it, such as ``record``.
        key: Its key.
        fix: What to do if it cannot be read.

    Raises:
        CorruptedDataException: It cannot be read.
        UnreadableArtifactException: It was written by a later version.
    """
    try:
        found = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptedDataException(
            f"The {called} '{key}' cannot be read: {error}.", fix=fix, where={"key": key}
        ) from error
    if found.version > newest:
        raise UnreadableArtifactException(
            f"The {called} '{key}' has version {found.version}; this is the reader of version {newest}.",
            fix="Update airflow-mlflow-provider.",
            where={"key": key},
        )
    return found
