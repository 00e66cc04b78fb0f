"""Which task instances of a resumed DAG run are finished from the start, and what they would have left in XCom.

All of it follows from the plan of the resume, never from Airflow's rows of the origin: so the origin may be a local run, a run of
another deployment or shape, or one that Airflow has long forgotten.

- An instance is taken over if all of its index paths are: a shard runs again as a whole.
- An index path that a switch left out counts as taken over with the switch; an instance of nothing else is *skipped*, as the
  switch's own instance would have left it.
- A list to expand over is known if all instances that contribute to it are taken over; then the instances below it are known too.
- The unit of the end step always runs: it puts the verdict on the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from airflow_mlflow_provider.operators.pointer import POINTER_KEY, Pointer, pointer
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.elements import Element, Split, elements
from airflow_mlflow_provider.plan.identity import IndexPath
from airflow_mlflow_provider.plan.units import Unit, planning_task
from airflow_mlflow_provider.runtime.request import TaskResult, UnitResult
from airflow_mlflow_provider.runtime.resume import ResumePlan

NOT_MAPPED = -1
RETURN_KEY = "return_value"


class FinishedInstance(msgspec.Struct, frozen=True):
    """A task instance that is finished before the DAG run starts.

    Attributes:
        task_id: Its Airflow task.
        map_index: Its index, -1 if the task is not mapped, or is mapped over nothing.
        state: ``success`` if it was taken over, ``skipped`` if no index path reaches it.
        origins: Pathspecs of the tasks that really ran; empty for tasks that run no step.
        label: What the Airflow UI shows instead of the map index.
        xcoms: What it leaves, by key.
    """

    task_id: str
    map_index: int
    state: Literal["success", "skipped"]
    origins: tuple[str, ...] = ()
    label: str = ""
    xcoms: dict[str, Any] = {}


class FinishedInstances(msgspec.Struct, frozen=True):
    """What a resumed DAG run begins with.

    Attributes:
        instances: The instances that are finished.
        widths: Number of instances of each mapped task of which at least one is finished; the others are left to be scheduled.
    """

    instances: tuple[FinishedInstance, ...]
    widths: dict[str, int]


def finished_instances(deployment: Deployment, plan: ResumePlan, max_width: int) -> FinishedInstances:
    """Find the task instances that are finished.

    Args:
        deployment: The flow as the new run sees it.
        plan: What is taken over.
        max_width: Largest number of instances that a task is expanded to.
    """
    return _Finder(deployment, plan, max_width).find()


class _Finder:
    def __init__(self, deployment: Deployment, plan: ResumePlan, max_width: int) -> None:
        self._deployment = deployment
        self._graph, self._units = deployment.manifest.graph, deployment.plan
        self._max_width = max_width
        # Per step and index path; of a loop, by iteration.
        self._results: dict[str, dict[IndexPath, dict[int, TaskResult]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        for result in plan.results:
            self._results[result.key.step][result.index_path][result.iteration or 0] = result
        self._left_out: dict[str, set[IndexPath]] = defaultdict(set)
        self._lists: dict[str, list[Element]] = {}
        self._found: list[FinishedInstance] = []
        self._widths: dict[str, int] = {}

    def find(self) -> FinishedInstances:
        # Each unit comes after those that it follows, so the list that it is expanded over is known by then, or never.
        for unit in self._units.units.values():
            if not unit.frames:
                self._plain(unit)
            elif unit.frames[-1] in self._lists:
                self._mapped(unit, self._lists[unit.frames[-1]])
        return FinishedInstances(tuple(self._found), self._widths)

    def _plain(self, unit: Unit) -> None:
        instance, splits = self._instance(unit, NOT_MAPPED, None)
        if instance is None:
            return
        if unit.opens and instance.state == "success":
            self._lists[unit.opens] = elements(splits, self._max_width)
            instance.xcoms[RETURN_KEY] = self._lists[unit.opens]
        self._found.append(instance)

    def _mapped(self, unit: Unit, over: list[Element]) -> None:
        if not over:
            self._found.append(FinishedInstance(unit.name, NOT_MAPPED, "skipped"))
        pairs = [self._instance(unit, index, element) for index, element in enumerate(over)]
        finished = [instance for instance, _ in pairs if instance is not None]
        if finished:
            self._widths[unit.name] = len(over)
            self._found += finished
        if unit.opens and len(finished) == len(over):
            self._planning(unit.opens, [split for _, splits in pairs for split in splits])

    def _planning(self, split: str, splits: list[Split]) -> None:
        self._lists[split] = elements(splits, self._max_width)
        xcoms = {RETURN_KEY: self._lists[split]}
        self._found.append(FinishedInstance(planning_task(split), NOT_MAPPED, "success", xcoms=xcoms))

    def _instance(
        self, unit: Unit, map_index: int, element: Element | None
    ) -> tuple[FinishedInstance | None, tuple[Split, ...]]:
        """The instance, if it is finished, and what it split."""
        paths = [tuple(path) for path in element["paths"]] if element else [()]
        label = element["label"] if element else ""
        ended = {path: self._ended(unit, path) for path in paths}
        for path, results in ended.items():
            self._leave_out(unit, path, results)
        left_out = self._left_out[unit.name]
        if any(not results and path not in left_out for path, results in ended.items()):
            return None, ()
        results = tuple(result for each in ended.values() for result in each)
        if not results:
            return FinishedInstance(unit.name, map_index, "skipped", label=label), ()
        if self._graph.end in unit.steps:
            return None, ()
        found: Pointer = pointer(self._graph, element, UnitResult(results))
        origins = tuple(dict.fromkeys(result.key.pathspec for result in results))
        xcoms = {POINTER_KEY: found.to_json()}
        return FinishedInstance(unit.name, map_index, "success", origins, label, xcoms), found.splits

    def _leave_out(self, unit: Unit, path: IndexPath, results: tuple[TaskResult, ...]) -> None:
        """Note which units a switch rules out for an index path."""
        for target in (target for result in results for target in result.targets):
            for name in unit.rules_out.get(target, ()):
                self._left_out[name].add(path)

    def _ended(self, unit: Unit, path: IndexPath) -> tuple[TaskResult, ...]:
        """The last tasks of the unit on an index path, empty unless all of them are taken over."""
        if unit.kind == "gang":
            return tuple(self._gang(unit, path))
        tasks = self._results[unit.steps[-1]].get(path, {})
        last = tasks[max(tasks)] if tasks else None
        return () if last is None or unit.steps[-1] in last.targets else (last,)

    def _gang(self, unit: Unit, path: IndexPath) -> Iterator[TaskResult]:
        # The plan takes over whole gangs only.
        opener = self._results[self._graph[unit.name].frames[-1]].get(path, {}).get(0)
        for node in range(opener.num_splits or 0 if opener else 0):
            yield from self._results[unit.name].get((*path, node), {}).values()
