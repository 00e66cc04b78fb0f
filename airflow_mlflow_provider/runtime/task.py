"""The task runner: one attempt of one task, from its inputs to its record.

What happens, in order, and what a death at any point leaves behind:

1. ``begin.json`` is put, and meanwhile the inputs are found. A death from here on leaves a begun attempt, which readers ignore.
2. User code runs.
3. Large artifacts are put as blobs, small ones as one pack. Content-addressed, or under the attempt's own key: a
   death leaves objects that nothing refers to.
4. ``done.json`` is put, create-only. This is the commit: all of the attempt becomes visible at once, or, if somebody
   committed this attempt before, nothing of it does.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import MetaflowException, MetaflowInternalError
from airflow_mlflow_provider.flow.decorators.base import StepDecorator
from airflow_mlflow_provider.flow.decorators.lifecycle import run_attempt
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.flow.preparation import step_decorators, user_step_decorators
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, FlowSpec
from airflow_mlflow_provider.flow.step_function import call_step
from airflow_mlflow_provider.flow.tracebacks import users_part
from airflow_mlflow_provider.flow.transition import agrees
from airflow_mlflow_provider.runtime.announce import announce, gang_metadata
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.attempt_cache import AttemptCache
from airflow_mlflow_provider.runtime.attempt_inputs import AttemptInputs
from airflow_mlflow_provider.runtime.bound_task import BoundTask, Lookups
from airflow_mlflow_provider.runtime.context import FlowContext
from airflow_mlflow_provider.runtime.inputs import Inputs
from airflow_mlflow_provider.runtime.masking import Mask
from airflow_mlflow_provider.runtime.missing import steps_that_set
from airflow_mlflow_provider.runtime.origins import name_writer
from airflow_mlflow_provider.runtime.private_artifacts import recorded_artifacts, running_artifacts
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.run_members import store_run_members, with_members
from airflow_mlflow_provider.runtime.step_cache import TaskInputs
from airflow_mlflow_provider.runtime.take import static_transition, take_transition
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.at_once import at_once
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import (
    ArtifactEntry,
    BeginRecord,
    DoneRecord,
    ExceptionRecord,
    Frame,
)


class AttemptSettings(msgspec.Struct, frozen=True):
    """What differs in an attempt that somebody makes by hand.

    Attributes:
        decorators: Names of the built-in decorators that apply; ``None`` for all.
        user_decorators: Whether the user's own decorators apply.
        artifacts: Values that stand in for inherited artifacts, by name.
    """

    decorators: frozenset[str] | None = None
    user_decorators: bool = True
    artifacts: Mapping[str, Any] = {}


_AS_WRITTEN = AttemptSettings()


def run_task(
    context: FlowContext,
    ledger: Ledger,
    assignment: Assignment,
    hide: Callable[[tuple[str, ...]], None],
    settings: AttemptSettings = _AS_WRITTEN,
    waits: Callable[[], None] = lambda: None,
) -> TaskResult:
    """Run one attempt and commit its record, whether the user's code succeeds or fails.

    Args:
        context: The flow.
        ledger: The store.
        assignment: The attempt.
        hide: Is told what the attempt's logs must not show, before the attempt prints it.
        settings: What differs from the step as it is written.
        waits: Is told now and then while the attempt waits for another one that computes the same.

    Raises:
        StoreException: The record could not be committed; nothing of the attempt is visible.
    """
    return _TaskRunner(context, ledger, assignment, hide, settings, waits).run()


def exception_record(error: BaseException) -> ExceptionRecord:
    """An exception as it is kept in a record.

    The traceback of one of ours ends with how to fix it; if the step's own code had no part in it, as when the store
    refuses its artifacts, its frames would tell the user nothing and are left out.
    """
    kind = type(error)
    if isinstance(error, MetaflowException) and not _passed_through_step(error.__traceback__):
        text = "".join(traceback.format_exception_only(kind, error))
    else:
        text = "".join(traceback.format_exception(kind, error, users_part(error.__traceback__)))
    if isinstance(error, MetaflowException) and error.fix:
        text = f"{text}{error.headline}. {error.fix}\n"
    return ExceptionRecord(f"{kind.__module__}.{kind.__qualname__}", str(error), text)


def _passed_through_step(frames: TracebackType | None) -> bool:
    while frames is not None:
        if frames.tb_frame.f_code is _TaskRunner._call.__code__:
            return True
        frames = frames.tb_next
    return False


class _AttemptView:
    """What decorators may know of the attempt: see :class:`~…flow.decorators.lifecycle.DecoratedTask`."""

    def __init__(
        self, assignment: Assignment, flow: FlowSpec, hide: Callable[[tuple[str, ...]], None]
    ) -> None:
        self.hide = hide
        key = assignment.key
        self.flow = flow
        self.flow_name, self.run_id, self.step_name, self.task_id = key.flow, key.run, key.step, key.task
        self.retry_count = assignment.retry_count
        self.is_last_attempt = assignment.last


class _TaskRunner:
    def __init__(
        self,
        context: FlowContext,
        ledger: Ledger,
        assignment: Assignment,
        hide: Callable[[tuple[str, ...]], None],
        settings: AttemptSettings,
        waits: Callable[[], None],
    ) -> None:
        self._tell = hide
        self._settings = settings
        self._mask = Mask()
        self.context = context
        self.ledger = ledger
        self.assignment = assignment
        self.key = assignment.key
        self.node: StepNode = context.manifest.graph[self.key.step]
        self.reader = ArtifactReader(ledger.store)
        self.inputs = AttemptInputs(ledger, context.manifest.graph, assignment)
        self.started_at = time.time()
        self.metadata = gang_metadata(assignment)
        # What a record says of the way to the task, also if the task fails.
        self.parents: tuple[DoneRecord, ...] = ()
        self.frames: tuple[Frame, ...] = ()
        self.cards: Any = None
        self.cache = AttemptCache(ledger, context.manifest, assignment, waits)

    def run(self) -> TaskResult:
        inputs = self._begin()
        try:
            record = self._attempt(inputs)
        except BaseException as error:  # noqa: BLE001 - whatever user code raises becomes a record
            record = self._failure(error)
        self.ledger.commit(record)
        # The record stands: nothing that happens to a card or to the cache changes how the task ended.
        self.cache.keep(record)
        if self.cards is not None:
            self.cards.finish(record)
        return result_of(record)

    def _begin(self) -> TaskInputs | BaseException:
        """Note that the attempt has begun and find what it starts from; what the latter raises is returned."""
        begin = BeginRecord(
            key=self.key,
            started_at=self.started_at,
            host=socket.gethostname(),
            pid=os.getpid(),
            metadata={k: str(v) for k, v in self.assignment.airflow.items()},
        )
        found: TaskInputs | BaseException
        # A thread has ended when user code runs, which may fork.
        with at_once(self.ledger.store, 1) as others:
            beginning = others.submit(self.ledger.begin, begin)
            try:
                found = self._find_inputs()
            except BaseException as error:  # noqa: BLE001 - becomes a record, once the attempt has begun
                found = error
        beginning.result()
        return found

    def _find_inputs(self) -> TaskInputs:
        parents = self.parents = self._parents()
        frames = self.frames = self.inputs.frames(parents)
        return TaskInputs(parents, self._inherited(parents), frames)

    def _attempt(self, inputs: TaskInputs | BaseException) -> DoneRecord:
        if isinstance(inputs, BaseException):
            raise inputs
        return self.cache.reuse(inputs, self.started_at) or self._run(inputs.inherited)

    def _run(self, inherited: Mapping[str, ArtifactEntry]) -> DoneRecord:
        parents, frames = self.parents, self.frames
        files = self.context.files
        task = BoundTask(
            self.key.step,
            self.reader,
            inherited,
            frames,
            self.inputs.where,
            is_join=self.node.has_inputs,
            files=files,
            lookups=Lookups(
                set_in=lambda name: self.inputs.set_in(parents, name),
                unreadable=lambda error, name: name_writer(error, self.ledger, parents, name),
                setters=lambda name: steps_that_set(self.context.flow_class, name),
                private=running_artifacts(self.assignment, frames, self.context.manifest),
            ),
        )
        self.context.bind_members()
        flow = self.context.flow_class(use_cli=False)
        flow.__dict__[TASK_ATTRIBUTE] = task
        inputs = Inputs(parents, self.reader, files, self._input_lookups) if self.node.has_inputs else None
        announce(self.context.manifest, self.ledger, self.assignment)
        task.stand_in(flow, self._settings.artifacts)
        decorators = self._decorators()
        self._open_cards(decorators, flow)
        verdict = run_attempt(
            decorators,
            _AttemptView(self.assignment, flow, self._hide),
            lambda: self._call(flow, inputs),
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
            reads=tuple(sorted(task.reads | (inputs._reads if inputs is not None else set()))),
            exception=None if verdict.caught is None else self._exception_record(verdict.caught),
            metadata={**self.metadata, **self.cache.metadata},
        )

    def _input_lookups(self, record: DoneRecord) -> Lookups:
        return Lookups(
            unreadable=lambda error, name: name_writer(error, self.ledger, (record,), name),
            private=recorded_artifacts(record, self.context.manifest),
        )

    def _decorators(self) -> list[StepDecorator]:
        """Those of the step that apply, in source order."""
        applied = self._settings.decorators
        written = step_decorators(self.context.flow_class, self.key.step)
        return [each for each in written if applied is None or each.name in applied]

    def _open_cards(self, decorators: Sequence[StepDecorator], flow: FlowSpec) -> None:
        cards = [decorator for decorator in decorators if decorator.name == "card"]
        if cards:
            # Cards stand above this room; naming them as text keeps the arrow pointing down.
            room = importlib.import_module("airflow_mlflow_provider.cards.attempt")
            self.cards = room.open_cards(
                cards, self.key, self.context.manifest, self.ledger, flow, self._mask
            )

    def _call(self, flow: FlowSpec, inputs: Inputs | None) -> None:
        self._run_step(flow, inputs)
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
                where=self.inputs.where,
            )

    def _hide(self, secrets: tuple[str, ...]) -> None:
        self._mask.add(secrets)
        self._tell(secrets)

    def _exception_record(self, error: BaseException) -> ExceptionRecord:
        found = exception_record(error)
        return ExceptionRecord(found.type, self._mask.text(found.message), self._mask.text(found.traceback))

    def _failure(self, error: BaseException) -> DoneRecord:
        exception = self._exception_record(error)
        sys.stderr.write(exception.traceback)
        return DoneRecord(
            key=self.key,
            outcome="failed",
            started_at=self.started_at,
            ended_at=time.time(),
            index_path=self.assignment.index_path,
            iteration=self.assignment.iteration,
            frames=self.frames,
            parents=tuple(parent.key for parent in self.parents),
            exception=exception,
            metadata=self.metadata,
        )

    def _run_step(self, flow: FlowSpec, inputs: Inputs | None) -> None:
        users = user_step_decorators(self.context.flow_class, self.key.step)
        if users and self._settings.user_decorators:
            from airflow_mlflow_provider.flow.user_decorated_step import StepCall, run_user_decorated

            run_user_decorated(users, StepCall(flow, self.node, inputs))
            return
        call_step(flow, self.key.step, inputs)

    def _parents(self) -> tuple[DoneRecord, ...]:
        """What the attempt starts from; in a resumed run, with the run's own parameters where it has its own."""
        parents = tuple(self.inputs.parents())
        if all(parent.key.run == self.key.run for parent in parents):
            return parents
        return with_members(parents, store_run_members(self.context, self.ledger, self.key.run), self.key.run)

    def _inherited(self, parents: Sequence[DoneRecord]) -> dict[str, ArtifactEntry]:
        if parents and not self.node.has_inputs:
            return parents[0].artifacts
        return store_run_members(self.context, self.ledger, self.key.run).artifacts

    def _is_end(self) -> bool:
        return self.key.step == self.context.manifest.graph.end
