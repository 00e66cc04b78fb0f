"""``Step``: the tasks of one step of a run."""

from __future__ import annotations

import datetime
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mlflow_provider.client.core import MetaflowObject
from airflow_mlflow_provider.client.task import Task
from airflow_mlflow_provider.flow.graph import StepNode

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.run import Run

_LARGEST_BATCH = 64


class Step(MetaflowObject[Task]):
    """A step of a run: its tasks, the last split first."""

    SHAPE: ClassVar[str] = "Flow/run/step"

    @property
    def parent(self) -> Run:
        """The run."""
        from airflow_mlflow_provider.client.run import Run

        return self._related(Run, *self._parts[:2])

    @property
    def created_at(self) -> datetime.datetime | None:
        """When its first task was started."""
        first = min(self._child_ids(), default=None)
        return None if first is None else self._child(first).created_at

    @property
    def origin_pathspec(self) -> str | None:
        """Pathspec of the origin's step, if all of its tasks were taken over from there."""
        tasks = list(self)
        origins = {"/".join(t.origin_pathspec.split("/")[:3]) for t in tasks if t.origin_pathspec}
        whole = len(origins) == 1 and all(task.origin_pathspec for task in tasks)
        return origins.pop() if whole else None

    @property
    def task(self) -> Task | None:
        """Any task of the step: the newest; ``None`` if none has started."""
        return next(iter(self), None)

    @property
    def control_task(self) -> Task | None:
        """The first node of the step's gang; ``None`` if it is not one."""
        return next(self.control_tasks(), None)

    @property
    def finished_at(self) -> datetime.datetime | None:
        """When its last task finished; ``None`` while one has not."""
        moments = [task.finished_at for task in self]
        known = [m for m in moments if m is not None]
        return max(known) if known and len(known) == len(moments) else None

    @property
    def environment_info(self) -> dict[str, Any] | None:
        """What the step's tasks ran in."""
        task = self.task
        return task.environment_info if task is not None else None

    @property
    def parent_steps(self) -> Iterator[Step]:
        """The steps that may lead here."""
        node = self._node
        return (self._related(Step, *self._parts[:2], name) for name in (node.in_funcs if node else ()))

    @property
    def child_steps(self) -> Iterator[Step]:
        """The steps that may follow."""
        node = self._node
        return (self._related(Step, *self._parts[:2], name) for name in (node.out_funcs if node else ()))

    @property
    def _node(self) -> StepNode | None:
        """The step in the flow's graph; ``None`` for ``_parameters``, which is not in it."""
        return self.parent.manifest.graph.steps.get(self.id)

    def __iter__(self) -> Iterator[Task]:
        """The tasks, the last split first; their records are read in batches."""
        flow, run, step = self._parts
        done = self._ledger.newest_done_keys(flow, run, step)
        ids = self._child_ids()
        for size in itertools.chain((1, 8), itertools.repeat(_LARGEST_BATCH)):
            batch = list(itertools.islice(ids, size))
            known = [done[task] for task in batch if task in done]
            records = {record.key.task: record for record in self._ledger.load_done(known)}
            for task_id in batch:
                task = self._child(task_id)
                task._remember(records.get(task_id))
                yield task
            if len(batch) < size:
                return

    def tasks(self, *tags: str) -> Iterator[Task]:
        """The tasks, if the run has all of ``tags``."""
        return iter(self) if self.tags.issuperset(tags) else iter(())

    def control_tasks(self, *tags: str) -> Iterator[Task]:
        """The first node of each gang of the step."""
        node = self._node
        if not node or not node.frames or self.parent.manifest.graph[node.frames[-1]].kind != "parallel":
            return iter(())
        return (task for task in self.tasks(*tags) if task.index == 0)

    def _facts(self) -> Iterator[tuple[str, object]]:
        states = Counter(task.status for task in self)
        yield "tasks", [f"{count} {state}" for state, count in states.items()]
        yield "finished at", self.finished_at

    def _require_existence(self) -> None:
        run = self.parent
        if self.id not in self._ledger.steps(*self._parts[:2]):
            known = ", ".join(run.manifest.graph.steps)
            raise self._absent(f"The flow has the steps {known}.")

    def _child_ids(self) -> Iterator[str]:
        return reversed(self._ledger.tasks(*self._parts))

    def _has_child(self, id: str) -> bool:
        flow, run, step = self._parts
        return bool(self._ledger.attempts(flow, run, step, id))

    def _child(self, id: str) -> Task:
        return self._related(Task, *self._parts, id)
