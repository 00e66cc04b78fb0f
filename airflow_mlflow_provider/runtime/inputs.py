"""The ``inputs`` of a join: the finished branches, in order, their artifacts read when touched."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from airflow_mlflow_provider.exception import UnpicklableArtifactException
from airflow_mlflow_provider.runtime.bound_task import BoundTask, Lookups
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.records import ArtifactEntry, DoneRecord

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.includefile import IncludeFile


class InputTask:
    """One finished branch of a join; its artifacts are attributes, and no other name but ``index`` and ``input`` is public.

    Args:
        record: The branch's last task.
        reader: Reads artifacts.
        reads: Receives the names of the artifacts that are read.
        files: Parameters that are files, by attribute.
        lookups: What messages tell, and the private artifacts that follow from the record.
    """

    def __init__(
        self,
        record: DoneRecord,
        reader: ArtifactReader,
        reads: set[str],
        files: Mapping[str, IncludeFile] = {},
        lookups: Lookups = Lookups(),  # noqa: B008 - immutable
    ) -> None:
        key = record.key
        where = {"flow": key.flow, "run": key.run, "step": key.step, "task": key.task}
        self.__dict__["_record"] = record
        self.__dict__["_task"] = BoundTask(
            key.step,
            reader,
            record.artifacts,
            record.frames,
            where,
            reads,
            files=files,
            lookups=lookups,
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._task.load(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self._pathspec} has finished; inputs of a join cannot be changed.")

    def __dir__(self) -> list[str]:
        return [name for name in self._record.artifacts if not name.startswith("_")]

    @property
    def _artifact_entries(self) -> Mapping[str, ArtifactEntry]:
        """Where each artifact of the branch is."""
        entries: Mapping[str, ArtifactEntry] = self._record.artifacts
        return entries

    @property
    def _pathspec(self) -> str:
        """Pathspec of the branch's last task."""
        return str(self._record.key.pathspec)

    @property
    def index(self) -> int | None:
        """Position of the branch in its foreach."""
        index: int | None = self._task.index
        return index

    @property
    def input(self) -> Any:
        """Element that the branch was for."""
        return self._task.input

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """The branch's foreach stack."""
        stack: list[tuple[int, int, Any]] = self._task.foreach_stack()
        return stack

    def __repr__(self) -> str:
        return f"<input {self._pathspec}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise UnpicklableArtifactException(
            f"An input of a join ({self._pathspec}) cannot be stored as an artifact, only the values that are needed.",
            fix="Store the values that are needed, not the input.",
        )


class Inputs:
    """The branches of a join, in the order of the split.

    ``inputs[i]`` and iteration work for every join; ``inputs.<step>`` names a branch of a static split by the step
    that ran last in it. No public attribute stands in the way of a step's name, so this is no
    :class:`collections.abc.Sequence`, whose ``count`` and ``index`` would.
    """

    def __init__(
        self,
        records: Sequence[DoneRecord],
        reader: ArtifactReader,
        files: Mapping[str, IncludeFile] = {},
        lookups: Callable[[DoneRecord], Lookups] = lambda record: Lookups(),
    ) -> None:
        self._records = records
        self._lookups = lookups
        self._reader = reader
        self._files = files
        self._made: weakref.WeakValueDictionary[int, InputTask] = weakref.WeakValueDictionary()
        # Names of the artifacts read from any input.
        self._reads: set[str] = set()

    @overload
    def __getitem__(self, index: int) -> InputTask: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[InputTask]: ...

    def __getitem__(self, index: int | slice) -> InputTask | Sequence[InputTask]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        made = self._made.get(position)
        if made is None:
            record = self._records[position]
            made = self._made[position] = InputTask(
                record,
                self._reader,
                self._reads,
                self._files,
                self._lookups(record),
            )
        return made

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[InputTask]:
        return (self[i] for i in range(len(self)))

    def __getattr__(self, name: str) -> InputTask:
        for position, record in enumerate(self.__dict__.get("_records", ())):
            if record.key.step == name:
                return self[position]
        steps = ", ".join(dict.fromkeys(r.key.step for r in self.__dict__.get("_records", ())))
        raise AttributeError(
            f"No branch of this join ended in a step '{name}'; the branches ended in: {steps}."
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise UnpicklableArtifactException(
            "The inputs of a join cannot be stored as an artifact, only the values that are needed.",
            fix="Store the values that are needed, such as [i.score for i in inputs].",
        )
