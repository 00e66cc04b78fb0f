"""The tasks of a step: pages of them, by split and state, and one in full."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from airflow_mlflow_provider.cards.document import card_index
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plan.identity import parse_task_id
from airflow_mlflow_provider.plugins.models.tasks import (
    AttemptView,
    SplitLabel,
    SplitRow,
    TaskPage,
    TaskReference,
    TaskRow,
    TaskView,
)
from airflow_mlflow_provider.plugins.reading.labels import Labels
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.runtime.logs import STREAMS
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord
from airflow_mlflow_provider.store.survey import SurveyedTask

# What wants to be looked at comes first.
_ORDER = ("failed", "interrupted", "caught", "running", "succeeded")
_MOST_INPUTS = 50


class TaskReader:
    """Reads the tasks of one step of a run.

    Args:
        run: The run.
        step: Name of the step.
    """

    def __init__(self, run: RunReader, step: str) -> None:
        self._run, self._step = run, step
        self._survey = run.survey(step)
        self._labels = Labels(run, step)

    def page(self, *, under: str, value: str, states: Sequence[str], cursor: str, limit: int) -> TaskPage:
        """A page of tasks, or of the splits of the next level that hold several.

        Args:
            under: Beginning of the task ids, as a split says it; empty for all.
            value: Text that the label of a split, or the task id, holds; asks for tasks of all levels.
            states: Only tasks in these states; empty for all.
            cursor: Where the page before ended.
            limit: How many items to answer at most.
        """
        chosen = [task for task in self._survey if not under or task.key.task.startswith(f"{under}-")]
        if states:
            chosen = [task for task in chosen if self._run.state(task) in states]
        if value:
            matching = self._labels.matching(value)
            chosen = [task for task in chosen if matching(task.key.task)]
        depth = len(under.split("-")) if under else 0
        if value or self._depth() - depth < 2:
            return self._tasks(chosen, cursor, limit)
        return self._splits(chosen, depth, cursor, limit)

    def view(self, task: str) -> TaskView:
        """A task in full.

        Raises:
            MetaflowNotFound: It has not begun.
        """
        found = self.find(task)
        numbers = self._run.ledger.attempts(self._run.flow, found.key.run, self._step, task)
        keys = [_attempt(found.key, number) for number in numbers]
        done = {key: self._run.ledger.done(key) for key in keys}
        record = done.get(found.key)
        parents = record.parents if record else ()
        begun = self._run.ledger.begun(found.key)
        return TaskView(
            pathspec=f"{self._run.flow}/{self._run.run}/{self._step}/{task}",
            row=self._row(found, record),
            attempts=[self._attempt(key, done[key], found) for key in keys],
            inputs=[self._reference(key) for key in parents[:_MOST_INPUTS]],
            input_count=len(parents),
            followed_by=list(record.transition.targets) if record and record.transition else [],
            reads=sorted(record.reads) if record else [],
            metadata={**(begun.metadata if begun else {}), **(record.metadata if record else {})},
        )

    def find(self, task: str) -> SurveyedTask:
        """A task that has begun or was taken over.

        Raises:
            MetaflowNotFound: There is none with this id.
        """
        found = next((one for one in self._survey if one.key.task == task), None)
        if found is None:
            raise MetaflowNotFound(
                f"{self._run.flow}/{self._run.run}/{self._step} has no task {task} yet.",
                fix="List the tasks of the step.",
                where={"step": self._step, "task": task},
            )
        return found

    def key(self, task: str, attempt: int) -> AttemptKey:
        """An attempt of a task, in the run that ran it.

        Raises:
            MetaflowNotFound: The task has not begun.
        """
        return _attempt(self.find(task).key, attempt)

    def record(self, task: str) -> DoneRecord | None:
        """How the newest attempt of a task ended, ``None`` while it has not.

        Raises:
            MetaflowNotFound: The task has not begun.
        """
        return self._run.ledger.done(self.find(task).key)

    def _depth(self) -> int:
        node = self._run.graph[self._step]
        return len(node.frames) + node.is_loop

    def _tasks(self, chosen: Iterable[SurveyedTask], cursor: str, limit: int) -> TaskPage:
        ranked = sorted((_ORDER.index(self._run.state(task)), task.key.task, task) for task in chosen)
        places = [f"{rank}{name}" for rank, name, _ in ranked]
        begin = _after(places, cursor)
        page = [task for _, _, task in ranked[begin : begin + limit]]
        ended = [task.key for task in page if task.ended is not None or task.key.run != self._run.run]
        records = {record.key: record for record in self._run.ledger.load_done(ended)}
        return TaskPage(
            splits=[],
            tasks=[self._row(task, records.get(task.key)) for task in page],
            total=len(ranked),
            next=places[begin + limit - 1] if begin + limit < len(ranked) else "",
        )

    def _splits(self, chosen: Iterable[SurveyedTask], depth: int, cursor: str, limit: int) -> TaskPage:
        ranked: list[tuple[int, str, dict[str, int]]] = []
        for under, tasks in itertools.groupby(chosen, lambda task: _beginning(task.key.task, depth + 1)):
            counts = self._run.counts(tasks)
            ranked.append((min(map(_ORDER.index, counts)), under, counts))
        ranked.sort(key=lambda one: one[:2])
        places = [f"{rank}{under}" for rank, under, _ in ranked]
        begin = _after(places, cursor)
        page = ranked[begin : begin + limit]
        return TaskPage(
            splits=[
                SplitRow(under=under, label=self._labels.of(under)[-1], counts=counts)
                for _, under, counts in page
            ],
            tasks=[],
            total=len(ranked),
            next=places[begin + limit - 1] if begin + limit < len(ranked) else "",
        )

    def _row(self, task: SurveyedTask, record: DoneRecord | None) -> TaskRow:
        key = task.key
        labels = _labels(record) if record is not None else self._labels.of(key.task)
        return TaskRow(
            task=key.task,
            state=self._run.state(task) if record is None else record.outcome,
            attempt=key.attempt,
            labels=labels,
            iteration=parse_task_id(key.task)[1],
            began_at=record.started_at if record else task.began,
            seconds=round(record.ended_at - record.started_at, 3) if record else None,
            error=_error(record),
            origin=key.pathspec if key.run != self._run.run else None,
        )

    def _attempt(self, key: AttemptKey, record: DoneRecord | None, newest: SurveyedTask) -> AttemptView:
        begun = None if record else self._run.ledger.begun(key)
        names = self._run.ledger.store.children(key.prefix)
        streams = {name.rpartition("-")[0] for name in names}
        is_last = key.attempt == newest.key.attempt
        return AttemptView(
            attempt=key.attempt,
            state=record.outcome if record else (self._run.state(newest) if is_last else "interrupted"),
            began_at=record.started_at if record else (begun.started_at if begun else None),
            seconds=round(record.ended_at - record.started_at, 3) if record else None,
            error=_error(record),
            traceback=record.exception.traceback if record and record.exception else "",
            logs=[stream for stream in STREAMS if stream in streams],
            cards=sorted(index for name in names if (index := card_index(name)) is not None),
        )

    def _reference(self, key: AttemptKey) -> TaskReference:
        return TaskReference(
            pathspec=key.pathspec,
            step=key.step,
            task=key.task,
            attempt=key.attempt,
            is_own=key.run == self._run.run,
        )


def _labels(record: DoneRecord) -> list[SplitLabel]:
    return [
        SplitLabel(step=frame.step, var=frame.var, index=frame.index, label=frame.label or str(frame.index))
        for frame in record.frames
    ]


def _error(record: DoneRecord | None) -> str:
    return record.exception.message[:500] if record and record.exception else ""


def _attempt(key: AttemptKey, number: int) -> AttemptKey:
    return AttemptKey(key.flow, key.run, key.step, key.task, number)


def _beginning(task: str, parts: int) -> str:
    return "-".join(task.split("-")[:parts])


def _after(places: Sequence[str], cursor: str) -> int:
    """Where the page after a cursor begins, whatever has changed place since."""
    return next(_positions_after(places, cursor), len(places)) if cursor else 0


def _positions_after(places: Sequence[str], cursor: str) -> Iterator[int]:
    return (position for position, place in enumerate(places) if place > cursor)
