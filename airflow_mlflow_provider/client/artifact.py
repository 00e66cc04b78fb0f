"""``DataArtifact``: one value that a task stored."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mlflow_provider.client.core import MetaflowObject, moment
from airflow_mlflow_provider.client.data import content
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.records import ArtifactEntry

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.task import Task


class DataArtifact(MetaflowObject[Any]):
    """One value that a task stored."""

    SHAPE: ClassVar[str] = "Flow/run/step/task/artifact"
    TAKES_ATTEMPT: ClassVar[bool] = True

    _known: ArtifactEntry | None = None
    _made: Any = None

    @property
    def parent(self) -> Task:
        """The task."""
        from airflow_mlflow_provider.client.task import Task

        return self._related(Task, *self._parts[:4], attempt=self._attempt)

    @property
    def created_at(self) -> datetime.datetime | None:
        """When the task that shows it ended."""
        return self.finished_at

    @property
    def origin_pathspec(self) -> str | None:
        """Pathspec of the artifact in the run that really made it, if this run took its task over."""
        task = self.parent.origin_pathspec
        return None if task is None else f"{task}/{self.id}"

    @property
    def data(self) -> Any:
        """The value.

        Raises:
            CorruptedDataException: The stored bytes are not what was stored.
            UnreadableArtifactException: A module that the value needs is not installed here.
        """
        if self._known is None:
            return self._made
        reader = ArtifactReader(self._ledger.store)
        return content(reader, self.id, self._known, {"task": self.parent.pathspec})

    @property
    def size(self) -> int:
        """Bytes of the value as it is stored, uncompressed."""
        return self._known.size if self._known else 0

    @property
    def _type(self) -> str:
        return self._known.type if self._known else type(self._made).__name__

    def _facts(self) -> Iterator[tuple[str, object]]:
        yield "type", self._type
        yield "size", f"{self.size} bytes"
        yield "preview", self._known.preview if self._known else self._made
        yield "sha", self.sha
        yield "finished at", self.finished_at

    @property
    def sha(self) -> str:
        """Digest of those bytes (BLAKE3, 64 hex digits); equal values of one type mostly have equal digests."""
        return self._known.digest if self._known else ""

    @property
    def finished_at(self) -> datetime.datetime | None:
        """When the task that shows it ended."""
        record = self.parent._record
        return None if record is None else moment(record.ended_at)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._require_existence()

    def _require_existence(self) -> None:
        task = self.parent
        if not task._has_child(self.id):
            known = ", ".join(task._child_ids())
            raise self._absent(f"The task has the artifacts {known}." if known else "")
        same = task._child(self.id)
        self._known, self._made = same._known, same._made

    def _child_ids(self) -> Iterator[str]:
        return iter(())

    def _child(self, id: str) -> None:
        return None
