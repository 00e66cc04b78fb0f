"""What an attempt starts from: its parents' records, the artifacts it inherits, its foreach stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_mlflow_provider.exception import MetaflowDataMissing, MetaflowInternalError
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.origins import writer_of
from airflow_mlflow_provider.runtime.parents import chosen_parents
from airflow_mlflow_provider.runtime.run_members import run_members
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry, DoneRecord, Frame, SplitValues


class AttemptInputs:
    """The inputs of one attempt, read from the store.

    Args:
        ledger: The records.
        graph: The flow's graph.
        assignment: The attempt.
    """

    def __init__(self, ledger: Ledger, graph: FlowGraph, assignment: Assignment) -> None:
        self._ledger = ledger
        self._graph = graph
        self._assignment = assignment
        self._key = assignment.key
        self._node = graph[assignment.key.step]

    @property
    def where(self) -> dict[str, Any]:
        """Flow, run, step and task, for errors."""
        key = self._key
        return {"flow": key.flow, "run": key.run, "step": key.step, "task": key.task}

    def parents(self) -> Sequence[DoneRecord]:
        """The records that the attempt starts from, in the order of a join's ``inputs``.

        Raises:
            MetaflowDataMissing: One of them is not there.
        """
        assignment = self._assignment
        if assignment.parents is not None:
            return self._ledger.load_done(assignment.parents)
        if assignment.iteration:
            raise MetaflowInternalError("A later iteration of a loop was started without its parent.")
        key = self._key
        found = chosen_parents(self._ledger, self._graph, key.run, key.step, assignment.index_path)
        if found is None:
            raise MetaflowDataMissing(
                f"No parent of {key.pathspec} chose it.",
                fix="Start it only after a switch has chosen its branch.",
                where=self.where,
            )
        return found

    def inherited(self, parents: Sequence[DoneRecord]) -> dict[str, ArtifactEntry]:
        """The artifacts visible at the start: those of the one parent, or the run's parameters, configs and constants.

        Raises:
            MetaflowDataMissing: The start step has not stored the parameters.
        """
        if parents and not self._node.has_inputs:
            return parents[0].artifacts
        return run_members(self._ledger, self._key.flow, self._key.run).artifacts

    def frames(self, parents: Sequence[DoneRecord]) -> tuple[Frame, ...]:
        """The foreach stack, outermost first."""
        depth = len(self._assignment.index_path)
        if not parents:
            return self._frames_of_opener() if depth else ()
        parent = parents[0]
        if len(parent.frames) >= depth:
            return parent.frames[:depth]
        return (*parent.frames, self._opened_frame(parent))

    def set_in(self, parents: Sequence[DoneRecord], name: str) -> str | None:
        """The step that last set an inherited artifact, found by going back through the records; for messages."""
        writer = writer_of(self._ledger, parents, name)
        return None if writer is None else writer.step

    def _opened_frame(self, parent: DoneRecord) -> Frame:
        taken, index = parent.transition, self._assignment.index_path[-1]
        if taken is None or taken.num_splits is None:
            raise MetaflowInternalError(
                f"{parent.key.pathspec} opened no foreach, and {self._key.pathspec} is in it."
            )
        element = None
        if taken.values is not None:
            start, stop = taken.values.offsets[index : index + 2]
            element = SplitValues(taken.values.entry, (start, stop), taken.values.codec)
        label = taken.labels[index] if taken.labels else ""
        return Frame(parent.key.step, taken.foreach, index, taken.num_splits, label, element)

    def _frames_of_opener(self) -> tuple[Frame, ...]:
        """The foreach stack of a join whose foreach was empty: that of the split."""
        opener = self._assignment.opened_by
        if opener is None:
            split = self._node.matching_split or ""
            record = self._ledger.newest_done(self._key.flow, self._key.run, split, self._key.task)
        else:
            record = self._ledger.done(opener)
        if record is None:
            raise MetaflowDataMissing(f"The split of {self._key.pathspec} has no record.", where=self.where)
        return record.frames
