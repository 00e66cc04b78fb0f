"""Publishing and loading named artifacts; their records are in :mod:`.artifact_versions`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.exception import ObjectExists, StoreConflict
from airflow_mlflow_provider.hooks.artifact_versions import NamedArtifact, VersionRecords, check_name
from airflow_mlflow_provider.store.records import ArtifactEntry

if TYPE_CHECKING:
    from airflow_mlflow_provider.xcom.values import ValueStore

_TRIES = 50


class NamedArtifacts:
    """Publishes and loads named artifacts.

    Args:
        values: The values of the store.
    """

    def __init__(self, values: ValueStore) -> None:
        self._values = values
        self.records = VersionRecords(values.store)

    def publish(
        self,
        name: str,
        value: Any,
        *,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        made_by: Mapping[str, Any] | None = None,
    ) -> NamedArtifact:
        """Store a value as the next version.

        Returns:
            The version; the newest one that is there, if value, tags and metadata are equal.

        Raises:
            CommandException: This cannot be a name.
            UnpicklableArtifactException: The value has no safe form and pickles are not allowed.
            StoreConflict: Others publish under the same name all the time.
        """
        check_name(name)
        entry = self._values.write(f"The artifact '{name}'", value)
        for _ in range(_TRIES):
            newest = self.records.newest(name)
            if newest is not None and _same(newest, entry, tags, metadata):
                return newest
            number = newest.number + 1 if newest else 1
            made = NamedArtifact(
                name, number, entry, time.time(), tuple(tags), dict(metadata or {}), dict(made_by or {})
            )
            try:
                self.records.create(made)
            except ObjectExists:
                continue
            return made
        raise StoreConflict(
            f"Others published versions of '{name}' {_TRIES} times in a row.",
            fix="Try again.",
            where={"artifact": name},
        )

    def load(self, name: str) -> Any:
        """The value of a version.

        Args:
            name: ``name``, for the newest, or ``name@3``.

        Raises:
            MetaflowNotFound: There is no such version.
            UnreadableArtifactException: It is a pickle and those are not allowed, or a module is missing here.
        """
        found = self.records.find(name)
        return self._values.read(f"The artifact '{found.name}@{found.number}'", found.entry)


def _same(
    newest: NamedArtifact, entry: ArtifactEntry, tags: Sequence[str], metadata: Mapping[str, Any] | None
) -> bool:
    return (
        newest.entry.digest == entry.digest
        and newest.entry.codec == entry.codec
        and newest.tags == tuple(tags)
        and newest.metadata == dict(metadata or {})
    )
