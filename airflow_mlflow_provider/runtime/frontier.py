"""What becomes ready when a task ends: the graph, walked along what tasks have recorded.

It keeps, for each open split, how many branches it waits for and which have arrived; what has been handed on is forgotten.
Nothing here runs anything: the scheduler of a region and the plan of a resumed run walk the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.plan.identity import IndexPath, task_id
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.store.records import AttemptKey


class Work(msgspec.Struct, frozen=True):
    """A task whose inputs are complete.

    Attributes:
        step: Name of the step.
        path: Index path.
        iteration: Iteration, for a loop step.
        parents: Attempts to start from, ``None`` to look them up.
        opened_by: For a join, the attempt of its split.
        attempt: Storage attempt to make next.
        retries: Attempts made before in the task's budget.
        gang: Place in a gang.
        alone: Whether the other nodes of the gang run on other machines.
    """

    step: str
    path: IndexPath = ()
    iteration: int | None = None
    parents: tuple[AttemptKey, ...] | None = None
    opened_by: AttemptKey | None = None
    attempt: int = 0
    retries: int = 0
    gang: dict[str, Any] = {}
    alone: bool = False


class Frontier:
    """Walks a flow from the ends of tasks to the tasks that they make ready.

    Args:
        graph: The flow's graph.
        region: Names of the steps to walk; a transition out of them is somebody else's.
    """

    def __init__(self, graph: FlowGraph, region: Iterable[str]) -> None:
        self._graph = graph
        self._region = frozenset(region)
        self._joins = _Joins(graph)

    def start(self) -> Work:
        """The first task of the flow."""
        return self._work(self._graph.start, (), ())

    def follow(self, work: Work, result: TaskResult) -> Iterator[Work]:
        """The tasks that become ready by the end of a task, in the order of the splits.

        Args:
            work: The task.
            result: How it ended; not a failure.
        """
        node = self._graph[work.step]
        if result.num_splits is not None:
            self._joins.opened(work.step, work.path, result.key, result.num_splits)
            return self._splits(node, work.path, result)
        if node.kind == "static":
            self._joins.opened(work.step, work.path, result.key, len(result.targets))
        ready = [self._successor(target, work, result) for target in result.targets]
        return iter([found for found in ready if found is not None])

    def lose(self, work: Work) -> tuple[bool, Work | None]:
        """A task has failed for good: whether a foreach around it may do without its split.

        Returns:
            Whether one may, and the work of its join, if that waited for nothing else.
        """
        for depth, name in reversed(list(enumerate(self._graph[work.step].frames))):
            split = self._graph[name]
            if split.transition is None or split.transition.min_success_ratio is None:
                continue
            tolerated, join = self._joins.lose(split, work.path[:depth], work.path[depth])
            if tolerated:
                return True, join
        return False, None

    def _work(self, step: str, path: IndexPath, parents: tuple[AttemptKey, ...], **more: Any) -> Work:
        return Work(step, path, 0 if self._graph[step].is_loop else None, parents, **more)

    def _successor(self, target: str, work: Work, result: TaskResult) -> Work | None:
        if target not in self._region:
            return None
        if target == work.step:
            return Work(work.step, work.path, (work.iteration or 0) + 1, (result.key,))
        node = self._graph[target]
        if node.has_inputs:
            return self._joins.arrive(node, work.step, work.path, result.key)
        return self._work(target, work.path, (result.key,))

    def _splits(self, node: StepNode, path: IndexPath, result: TaskResult) -> Iterator[Work]:
        (target,), width = result.targets, result.num_splits or 0
        if target not in self._region:
            return
        if width == 0:
            join = node.matching_join or ""
            if join in self._region:
                yield self._work(join, path, (), opened_by=result.key)
            return
        for index in range(width):
            inner = (*path, index)
            gang = gang_place(path, index, width) if node.kind == "parallel" else {}
            yield self._work(target, inner, (result.key,), gang=gang)


def gang_place(path: IndexPath, index: int, size: int, main_ip: str = "127.0.0.1") -> dict[str, Any]:
    """The place of a node in the gang that the split on ``path`` opens; by default, all nodes are on this machine."""
    return {
        "main_ip": main_ip,
        "num_nodes": size,
        "node_index": index,
        "control_task_id": task_id((*path, 0)),
    }


class _Joins:
    """The open splits and what has arrived at their joins."""

    def __init__(self, graph: FlowGraph) -> None:
        self._graph = graph
        self._open: dict[tuple[str, IndexPath], tuple[AttemptKey, int]] = {}
        self._arrived: dict[tuple[str, IndexPath], dict[int, AttemptKey]] = {}
        self._lost: dict[tuple[str, IndexPath], set[int]] = {}

    def opened(self, split: str, path: IndexPath, key: AttemptKey, width: int) -> None:
        """A split has been taken; its join waits for ``width`` branches."""
        self._open[split, path] = (key, width)

    def arrive(self, join: StepNode, step: str, path: IndexPath, key: AttemptKey) -> Work | None:
        """A branch has reached its join; the join's work if it was the last one."""
        split = self._graph[join.matching_split or ""]
        outer = path[:-1] if split.is_split else path
        opened = self._open.get((split.name, outer))
        if opened is None:
            return None
        arrived = self._arrived.setdefault((join.name, outer), {})
        for position in self._positions(join, split, step, path):
            arrived[position] = key
        return self._complete(join, split, outer)

    def lose(self, split: StepNode, path: IndexPath, index: int) -> tuple[bool, Work | None]:
        """A split of a foreach will never arrive: whether its join may run without it, and its work if it is ready."""
        opened, taken = self._open.get((split.name, path)), split.transition
        if opened is None or taken is None:
            return False, None
        lost = self._lost.setdefault((split.name, path), set())
        lost.add(index)
        if not taken.suffices(opened[1] - len(lost), opened[1]):
            return False, None
        return True, self._complete(self._graph[split.matching_join or ""], split, path)

    def _complete(self, join: StepNode, split: StepNode, path: IndexPath) -> Work | None:
        opener, width = self._open[split.name, path]
        arrived = self._arrived.get((join.name, path), {})
        lost = self._lost.get((split.name, path), set())
        if len(arrived) + len(lost) < width or (
            lost and split.transition and not split.transition.suffices(len(arrived), width)
        ):
            return None
        del self._open[split.name, path]
        self._arrived.pop((join.name, path), None)
        self._lost.pop((split.name, path), None)
        parents = tuple(dict.fromkeys(arrived[i] for i in sorted(arrived)))
        return Work(join.name, path, 0 if join.is_loop else None, parents, opener)

    def _positions(self, join: StepNode, split: StepNode, step: str, path: IndexPath) -> list[int]:
        if split.is_split:
            return [path[-1]]
        return [split.out_funcs.index(target) for target in join.branches.get(step, ())]
