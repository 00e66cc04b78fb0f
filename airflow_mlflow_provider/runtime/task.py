"""The task runner: one attempt of one task, from its inputs to its record.

What happens, in order, and what a death at any point leaves behind:

1. ``begin.json`` is put. A death from here on leaves a begun attempt, which readers ignore.
2. The inputs are found, user code runs.
3. Large artifacts are put as blobs, small ones as one pack. Content-addressed, or under the attempt's own key: a
   death leaves objects that nothing refers to.
4. ``done.json`` is put, create-only. This is the commit: all of the attempt becomes visible at once, or, if somebody
   committed this attempt before, nothing of it does.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from airflow_mlflow_provider.exception import MetaflowDataMissing, MetaflowException, MetaflowInternalError
from airflow_mlflow_provider.flow.current import current
from airflow_mlflow_provider.flow.decorators.base import StepDecorator
from airflow_mlflow_provider.flow.decorators.lifecycle import run_attempt
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, FlowSpec
from airflow_mlflow_provider.flow.transition import agrees
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.bound_task import BoundTask
from airflow_mlflow_provider.runtime.context import FlowContext
from airflow_mlflow_provider.runtime.inputs import Inputs
from airflow_mlflow_provider.runtime.parents import chosen_parents
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.run_members import run_members, store_run_members
from airflow_mlflow_provider.runtime.take import static_transition, take_transition
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import (
    ArtifactEntry,
    BeginRecord,
    DoneRecord,
    ExceptionRecord,
    Frame,
    SplitValues,
)


def run_task(context: FlowContext, ledger: Ledger, assignment: Assignment) -> TaskResult:
    """Run one attempt and commit its record, whether the user's code succeeds or fails.

    Raises:
        StoreException: The record could not be committed; nothing of the attempt is visible.
    """
    return _TaskRunner(context, ledger, assignment).run()


def exception_record(error: BaseException) -> ExceptionRecord:
    """An exception as it is kept in a record; the traceback of one of ours ends with how to fix it."""
    kind = type(error)
    text = "".join(traceback.format_exception(kind, error, _users_part(error.__traceback__)))
    if isinstance(error, MetaflowException) and error.fix:
        text = f"{text}{error.headline}. {error.fix}\n"
    return ExceptionRecord(f"{kind.__module__}.{kind.__qualname__}", str(error), text)


def _users_part(frames: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame outside this package; the whole of it if there is none."""
    own = str(Path(__file__).parent.parent)
    found = frames
    while found is not None and found.tb_frame.f_code.co_filename.startswith(own):
        found = found.tb_next
    return found or frames


class _AttemptView:
    """What decorators may know of the attempt: see :class:`~…flow.decorators.lifecycle.DecoratedTask`."""

    def __init__(self, assignment: Assignment, flow: FlowSpec) -> None:
        key = assignment.key
        self.flow = flow
        self.flow_name, self.run_id, self.step_name, self.task_id = key.flow, key.run, key.step, key.task
        self.retry_count = assignment.retry_count
        self.is_last_attempt = assignment.last


class _TaskRunner:
    def __init__(self, context: FlowContext, ledger: Ledger, assignment: Assignment) -> None:
        self.context = context
        self.ledger = ledger
        self.assignment = assignment
        self.key = assignment.key
        self.node: StepNode = context.manifest.graph[self.key.step]
        self.reader = ArtifactReader(ledger.store)
        self.started_at = time.time()
        self.metadata: dict[str, str] = {}

    def run(self) -> TaskResult:
        self.ledger.begin(
            BeginRecord(
                key=self.key,
                started_at=self.started_at,
                host=socket.gethostname(),
                pid=os.getpid(),
                metadata={k: str(v) for k, v in self.assignment.airflow.items()},
            )
        )
        try:
            record = self._attempt()
        except BaseException as error:  # noqa: BLE001 - whatever user code raises becomes a record
            record = self._failure(error)
        self.ledger.commit(record)
        return result_of(record)

    def _attempt(self) -> DoneRecord:
        parents = self._parents()
        frames = self._frames(parents)
        task = BoundTask(self.key.step, self.reader, self._inherited(parents), frames, self._where())
        self.context.bind_members()
        flow = self.context.flow_class(use_cli=False)
        flow.__dict__[TASK_ATTRIBUTE] = task
        inputs = Inputs(parents, self.reader) if self.node.has_inputs else None
        self._announce()
        verdict = run_attempt(
            self._decorators(), _AttemptView(self.assignment, flow), lambda: self._call(flow, inputs)
        )
        writer = ArtifactWriter(self.ledger.store, f"{self.key.prefix}/pack")
        if verdict.caught is None:
            transition = take_transition(flow, task, self.node, writer, self._is_end(), self.assignment)
        else:
            transition = static_transition(self.node)
        table = task.save(flow, writer)
        writer.flush()
        return DoneRecord(
            key=self.key,
            outcome="succeeded" if verdict.caught is None else "caught",
            started_at=self.started_at,
            ended_at=time.time(),
            index_path=self.assignment.index_path,
            iteration=self.assignment.iteration,
            frames=frames,
            parents=tuple(parent.key for parent in parents),
            transition=transition,
            artifacts=table,
            reads=tuple(sorted(task.reads | (inputs.reads if inputs is not None else set()))),
            exception=None if verdict.caught is None else exception_record(verdict.caught),
            metadata=self.metadata,
        )

    def _call(self, flow: FlowSpec, inputs: Inputs | None) -> None:
        step = getattr(flow, self.key.step)
        if inputs is None:
            step()
        else:
            step(inputs)
        call = flow.__dict__[TASK_ATTRIBUTE].next_call
        if call is not None and not agrees(call, self.node):
            expected = ", ".join(self.node.out_funcs) or "none"
            raise MetaflowInternalError(
                f"Step {self.key.step} was read from source to go to {expected} (line "
                f"{self.node.transition.line if self.node.transition else '?'}), and went to "
                f"{', '.join(call.targets)} (line {call.line}).",
                call.line,
                call.file,
                fix="Write self.next() so that it can be read without running the step.",
                where=self._where(),
            )

    def _failure(self, error: BaseException) -> DoneRecord:
        exception = exception_record(error)
        sys.stderr.write(exception.traceback)
        return DoneRecord(
            key=self.key,
            outcome="failed",
            started_at=self.started_at,
            ended_at=time.time(),
            index_path=self.assignment.index_path,
            iteration=self.assignment.iteration,
            exception=exception,
            metadata=self.metadata,
        )

    def _decorators(self) -> list[StepDecorator]:
        function = getattr(self.context.flow_class, self.key.step)
        decorators: list[StepDecorator] = function.decorators
        return decorators

    def _parents(self) -> Sequence[DoneRecord]:
        if self.assignment.parents is not None:
            return self.ledger.load_done(self.assignment.parents)
        if self.assignment.iteration:
            raise MetaflowInternalError("A later iteration of a loop was started without its parent.")
        found = chosen_parents(
            self.ledger, self.context.manifest.graph, self.key.run, self.key.step, self.assignment.index_path
        )
        if found is None:
            raise MetaflowDataMissing(
                f"No parent of {self.key.pathspec} chose it.",
                fix="Start it only after a switch has chosen its branch.",
                where=self._where(),
            )
        return found

    def _inherited(self, parents: Sequence[DoneRecord]) -> dict[str, ArtifactEntry]:
        if parents and not self.node.has_inputs:
            return parents[0].artifacts
        if self.key.step == self.context.manifest.graph.start:
            return store_run_members(self.context, self.ledger, self.key.run).artifacts
        return run_members(self.ledger, self.key.flow, self.key.run).artifacts

    def _frames(self, parents: Sequence[DoneRecord]) -> tuple[Frame, ...]:
        depth = len(self.assignment.index_path)
        if not parents:
            return self._frames_of_opener() if depth else ()
        parent = parents[0]
        if len(parent.frames) >= depth:
            return parent.frames[:depth]
        return (*parent.frames, self._opened_frame(parent))

    def _opened_frame(self, parent: DoneRecord) -> Frame:
        taken, index = parent.transition, self.assignment.index_path[-1]
        if taken is None or taken.num_splits is None:
            raise MetaflowInternalError(
                f"{parent.key.pathspec} opened no foreach, and {self.key.pathspec} is in it."
            )
        element = None
        if taken.values is not None:
            start, stop = taken.values.offsets[index : index + 2]
            element = SplitValues(taken.values.entry, (start, stop), taken.values.codec)
        label = taken.labels[index] if taken.labels else ""
        return Frame(parent.key.step, taken.foreach, index, taken.num_splits, label, element)

    def _frames_of_opener(self) -> tuple[Frame, ...]:
        """The foreach stack of a join whose foreach was empty: that of the split."""
        opener = self.assignment.opened_by
        if opener is None:
            split = self.node.matching_split or ""
            record = self.ledger.newest_done(self.key.flow, self.key.run, split, self.key.task)
        else:
            record = self.ledger.done(opener)
        if record is None:
            raise MetaflowDataMissing(f"The split of {self.key.pathspec} has no record.", where=self._where())
        return record.frames

    def _announce(self) -> None:
        key, airflow = self.key, self.assignment.airflow
        current._clear()
        current._set(
            flow_name=key.flow,
            run_id=key.run,
            step_name=key.step,
            task_id=key.task,
            pathspec=key.pathspec,
            retry_count=self.assignment.retry_count,
            parameter_names=[spec.name for spec in self.context.manifest.parameters],
        )
        if airflow:
            current._set(airflow=airflow)
        os.environ.update(
            AIRFLOW_CTX_FLOW_NAME=key.flow,
            AIRFLOW_CTX_FLOW_RUN_ID=key.run,
            AIRFLOW_CTX_STEP_NAME=key.step,
            AIRFLOW_CTX_FLOW_TASK_ID=key.task,
            AIRFLOW_CTX_ATTEMPT=str(key.attempt),
        )

    def _is_end(self) -> bool:
        return self.key.step == self.context.manifest.graph.end

    def _where(self) -> dict[str, Any]:
        return {
            "flow": self.key.flow,
            "run": self.key.run,
            "step": self.key.step,
            "task": self.key.task,
        }
