"""The scheduler of a region: which task runs next, on a laptop (the region is everything) and inside one Airflow task.

It keeps, for each open split, how many branches it waits for and which have arrived; what has finished and was handed on is
forgotten, so a foreach of any width takes little memory. Splits go depth-first: the successor of a task that has just
ended runs before the next split starts.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.plan.identity import IndexPath, task_id
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.attempts import AttemptPolicy
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.supervisor import Supervisor
from airflow_mlflow_provider.store.records import AttemptKey

Policies = Callable[[str], AttemptPolicy]


class Work(msgspec.Struct, frozen=True):
    """A task whose inputs are complete.

    Attributes:
        step: Name of the step.
        path: Index path.
        iteration: Iteration, for a loop step.
        parents: Attempts to start from, ``None`` to look them up.
        opened_by: For a join, the attempt of its split.
        attempt: Storage attempt to make next.
        retries: Attempts made before in this run of the scheduler.
        gang: Place in a gang.
    """

    step: str
    path: IndexPath = ()
    iteration: int | None = None
    parents: tuple[AttemptKey, ...] | None = None
    opened_by: AttemptKey | None = None
    attempt: int = 0
    retries: int = 0
    gang: dict[str, Any] = {}


class RegionOptions(msgspec.Struct, frozen=True):
    """How a region is run.

    Attributes:
        flow: Name of the flow.
        run: Run id.
        store: URL of the store.
        max_workers: Tasks that may run at once.
        max_num_splits: Widest foreach, ``None`` for any.
        max_iterations: Longest loop.
        fail_grace: Seconds that running tasks get to end once one has failed for good.
        keep_going: Whether independent branches go on after a failure.
        first_retry_count: What ``current.retry_count`` shows on the first attempt made here.
        last: Whether nobody retries after this scheduler gives up on a task.
        airflow: Where the region runs in Airflow.
    """

    flow: str
    run: str
    store: str
    max_workers: int = 16
    max_num_splits: int | None = None
    max_iterations: int = 10_000
    fail_grace: float = 5.0
    keep_going: bool = False
    first_retry_count: int = 0
    last: bool = True
    airflow: dict[str, Any] = {}


class RegionScheduler:
    """Runs the tasks of a region until none is left.

    Args:
        graph: The flow's graph.
        region: Names of the steps to run; a transition out of them is somebody else's.
        supervisor: Runs tasks.
        policies: Attempts and time limit of each step.
        options: How to run.
        on_result: Called with each task's final result, in the order in which they end.
    """

    def __init__(
        self,
        graph: FlowGraph,
        region: Iterable[str],
        supervisor: Supervisor,
        policies: Policies,
        options: RegionOptions,
        on_result: Callable[[TaskResult], None],
    ) -> None:
        self._graph = graph
        self._region = frozenset(region)
        self._supervisor = supervisor
        self._policies = policies
        self._options = options
        self._on_result = on_result
        self._ready: deque[Iterator[Work]] = deque()
        self._delayed: list[tuple[float, int, Work]] = []
        self._works: dict[AttemptKey, Work] = {}
        self._joins = _Joins(graph)
        self._gangs: dict[str, _Gang] = {}
        self._failed = False
        self._stopped = ""
        self._sequence = 0

    def add(self, works: Iterable[Work]) -> None:
        """Queue tasks whose inputs are complete."""
        self._ready.append(iter(works))

    def stop(self, because: str) -> None:
        """Start nothing more and end what runs; :meth:`run` returns soon after."""
        self._stopped = because

    def run(self, on_tick: Callable[[], None] = lambda: None) -> None:
        """Run until no task is left, or until a failure ends it.

        Args:
            on_tick: Called at least once a second, and after every event.
        """
        while not self._stopped:
            self._fill()
            on_tick()
            if not self._supervisor.count and not self._delayed and self._peek() is None:
                return
            for assignment, result in self._supervisor.wait(self._patience()):
                self._ended(assignment, result)
            if self._failed and not self._options.keep_going:
                self._drain(self._options.fail_grace, "another task failed")
                return
        self._drain(0.0, self._stopped)

    def _patience(self) -> float:
        if not self._delayed:
            return 1.0
        return min(1.0, max(0.0, self._delayed[0][0] - time.monotonic()))

    def _fill(self) -> None:
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            self._ready.appendleft(iter([heapq.heappop(self._delayed)[2]]))
        while (work := self._peek()) is not None and self._has_room(work):
            self._ready.popleft()
            self._start(work)

    def _has_room(self, work: Work) -> bool:
        if not work.gang:
            return self._supervisor.count < self._options.max_workers
        if work.gang["node_index"]:
            return True  # the whole gang starts with its first node
        free = self._options.max_workers - self._supervisor.count
        return free >= int(work.gang["num_nodes"]) or self._supervisor.count == 0

    def _peek(self) -> Work | None:
        """The task to start next, which stays queued."""
        while self._ready:
            work = next(self._ready[0], None)
            if work is None:
                self._ready.popleft()
                continue
            self._ready.appendleft(iter((work,)))
            return work
        return None

    def _start(self, work: Work) -> None:
        options, policy = self._options, self._policies(work.step)
        key = AttemptKey(
            options.flow, options.run, work.step, task_id(work.path, work.iteration), work.attempt
        )
        self._works[key] = work
        assignment = Assignment(
            key=key,
            store=options.store,
            index_path=work.path,
            iteration=work.iteration,
            parents=work.parents,
            opened_by=work.opened_by,
            retry_count=options.first_retry_count + work.retries,
            last=options.last and work.retries + 1 >= policy.attempts,
            max_num_splits=options.max_num_splits,
            max_iterations=options.max_iterations,
            gang=work.gang,
            airflow=options.airflow,
        )
        self._supervisor.start(assignment, policy.kill_after)

    def _ended(self, assignment: Assignment, result: TaskResult) -> None:
        work = self._works.pop(assignment.key)
        if work.gang:
            self._gang_node_ended(work, result)
        elif result.outcome == "failed":
            self._task_failed(work, result)
        else:
            self._on_result(result)
            self._follow(work, result)

    def _task_failed(self, work: Work, result: TaskResult) -> None:
        if self._retry([work]):
            return
        self._failed = True
        self._on_result(result)

    def _retry(self, works: list[Work]) -> bool:
        """Queue another attempt of each, if the budget allows; whether it does."""
        policy = self._policies(works[0].step)
        made = works[0].retries + 1
        if made >= policy.attempts:
            return False
        again = [
            msgspec.structs.replace(work, attempt=work.attempt + 1, retries=work.retries + 1)
            for work in works
        ]
        due = time.monotonic() + policy.delay(made)
        for work in again:
            self._sequence += 1
            heapq.heappush(self._delayed, (due, self._sequence, work))
        return True

    def _follow(self, work: Work, result: TaskResult) -> None:
        """Queue what becomes ready by the end of a task."""
        node = self._graph[work.step]
        if result.num_splits is not None:
            self._joins.opened(work.step, work.path, result.key, result.num_splits)
            self._ready.appendleft(iter(self._splits(node, work.path, result)))
            return
        if node.kind == "static":
            self._joins.opened(work.step, work.path, result.key, len(result.targets))
        works = [found for t in result.targets if (found := self._successor(t, work, result)) is not None]
        if works:
            self._ready.appendleft(iter(works))

    def _successor(self, target: str, work: Work, result: TaskResult) -> Work | None:
        if target not in self._region:
            return None
        node = self._graph[target]
        if target == work.step:
            return Work(work.step, work.path, (work.iteration or 0) + 1, (result.key,))
        if node.has_inputs:
            return self._joins.arrive(node, work.step, work.path, result.key)
        return Work(target, work.path, 0 if node.is_loop else None, (result.key,))

    def _splits(self, node: StepNode, path: IndexPath, result: TaskResult) -> Iterator[Work]:
        (target,), width = result.targets, result.num_splits or 0
        if target not in self._region:
            return
        if width == 0:
            join = self._graph[node.matching_join or ""]
            if join.name in self._region:
                yield Work(join.name, path, 0 if join.is_loop else None, (), result.key)
            return
        first = 0 if self._graph[target].is_loop else None
        if node.kind != "parallel":
            yield from (Work(target, (*path, i), first, (result.key,)) for i in range(width))
            return
        gang = self._gangs[task_id(path)] = _Gang(width)
        yield from (
            Work(target, (*path, i), first, (result.key,), gang=gang.place(i, task_id((*path, 0))))
            for i in range(width)
        )

    def _gang_node_ended(self, work: Work, result: TaskResult) -> None:
        gang = self._gangs[task_id(work.path[:-1])]
        gang.ended.append((work, result))
        if result.outcome == "failed" and not gang.stopping:
            gang.stopping = True
            self._supervisor.kill(
                "another node of the gang failed",
                lambda a: a.key.step == work.step and a.index_path[:-1] == work.path[:-1],
            )
        if len(gang.ended) < gang.size:
            return
        ended, gang.ended = sorted(gang.ended, key=lambda pair: pair[0].path), []
        failures = [pair for pair in ended if pair[1].outcome == "failed"]
        if not failures:
            for node_work, node_result in ended:
                self._on_result(node_result)
                self._follow(node_work, node_result)
            return
        gang.stopping = False
        if not self._retry([pair[0] for pair in ended]):
            self._failed = True
            for _, node_result in failures:
                self._on_result(node_result)

    def _drain(self, grace: float, because: str) -> None:
        """Let what runs end by itself for ``grace`` seconds, then kill it; what does end in time counts."""
        give_up = time.monotonic() + grace
        killed = False
        while self._supervisor.count:
            for assignment, result in self._supervisor.wait(
                min(1.0, max(0.0, give_up - time.monotonic()) or 1.0)
            ):
                self._works.pop(assignment.key)
                if result.outcome != "failed" or not killed:
                    self._on_result(result)
            if not killed and time.monotonic() >= give_up:
                killed = True
                self._supervisor.kill(because)


class _Gang:
    """The nodes of one gang."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.ended: list[tuple[Work, TaskResult]] = []
        self.stopping = False

    def place(self, index: int, control: str) -> dict[str, Any]:
        return {
            "main_ip": "127.0.0.1",
            "num_nodes": self.size,
            "node_index": index,
            "control_task_id": control,
        }


class _Joins:
    """The open splits and what has arrived at their joins."""

    def __init__(self, graph: FlowGraph) -> None:
        self._graph = graph
        self._open: dict[tuple[str, IndexPath], tuple[AttemptKey, int]] = {}
        self._arrived: dict[tuple[str, IndexPath], dict[int, AttemptKey]] = {}

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
        opener, width = opened
        if len(arrived) < width:
            return None
        del self._open[split.name, outer], self._arrived[join.name, outer]
        parents = tuple(dict.fromkeys(arrived[i] for i in sorted(arrived)))
        return Work(join.name, outer, 0 if join.is_loop else None, parents, opener)

    def _positions(self, join: StepNode, split: StepNode, step: str, path: IndexPath) -> list[int]:
        if split.is_split:
            return [path[-1]]
        return [split.out_funcs.index(target) for target in join.branches.get(step, ())]
