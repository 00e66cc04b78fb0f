"""The scheduler of a region: which task runs next, on a laptop (the region is everything) and inside one Airflow task.

What has finished and was handed on is forgotten, so a foreach of any width takes little memory. Splits go depth-first: the
successor of a task that has just ended runs before the next split starts.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.identity import IndexPath, task_id
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.attempts import AttemptPolicy
from airflow_mlflow_provider.runtime.frontier import Frontier, Work
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.supervisor import Supervisor
from airflow_mlflow_provider.store.records import AttemptKey

Policies = Callable[[str], AttemptPolicy]


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
        first_attempt: Storage attempt of a task that is started here for the first time, whichever works led to it.
        last: Whether nobody retries after this scheduler gives up on a task.
        tries_again: Whether a task that has failed is tried again here, as its policy says.
        airflow: Where the region runs in Airflow.
        cache: Whether steps with ``@cache`` look for earlier results.
        waits: Whether they wait for other tasks that compute the same.
    """

    flow: str
    run: str
    store: str
    max_workers: int = 16
    max_num_splits: int | None = None
    max_iterations: int = 10_000
    fail_grace: float = 5.0
    keep_going: bool = False
    first_attempt: int = 0
    last: bool = True
    tries_again: bool = True
    airflow: dict[str, Any] = {}
    cache: bool = True
    waits: bool = True


class RegionScheduler:
    """Runs the tasks of a region until none is left.

    Args:
        graph: The flow's graph.
        region: Names of the steps to run; a transition out of them is somebody else's.
        supervisor: Runs tasks.
        policies: Attempts and time limit of each step.
        options: How to run.
        on_result: Called with each task's final result, in the order in which they end.
        frontier: The walk to go on with; a new one by default.
        on_cut_short: Called instead with the result of a task that was killed because the region ends; by default
            ``on_result``.
    """

    def __init__(
        self,
        graph: FlowGraph,
        region: Iterable[str],
        supervisor: Supervisor,
        policies: Policies,
        options: RegionOptions,
        on_result: Callable[[TaskResult], None],
        frontier: Frontier | None = None,
        on_cut_short: Callable[[TaskResult], None] | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._policies = policies
        self._options = options
        self._on_result = on_result
        self._on_cut_short = on_cut_short or on_result
        self._ready: deque[Iterator[Work]] = deque()
        self._delayed: list[tuple[float, int, Work]] = []
        self._works: dict[AttemptKey, Work] = {}
        self._frontier = frontier or Frontier(graph, region)
        self._gangs: dict[tuple[str, IndexPath], _Gang] = {}
        self._failed = False
        self._stopped = ""
        self._sequence = 0

    def add(self, works: Iterable[Work]) -> None:
        """Queue tasks whose inputs are complete."""
        self._ready.append(iter(works))

    def stop(self, because: str) -> None:
        """Start nothing more and end what runs; :meth:`run` returns soon after."""
        self._stopped = because

    @property
    def failed(self) -> bool:
        """Whether a task has failed that nothing could do without."""
        return self._failed

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
        if not work.gang or work.alone:
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
        attempt = max(work.attempt, options.first_attempt)
        key = AttemptKey(options.flow, options.run, work.step, task_id(work.path, work.iteration), attempt)
        self._works[key] = work
        assignment = Assignment(
            key=key,
            store=options.store,
            index_path=work.path,
            iteration=work.iteration,
            parents=work.parents,
            opened_by=work.opened_by,
            retry_count=work.retries,
            last=options.last and work.retries + 1 >= policy.attempts,
            max_num_splits=options.max_num_splits,
            max_iterations=options.max_iterations,
            gang=work.gang,
            airflow=options.airflow,
            cache=options.cache,
            waits=options.waits,
        )
        self._supervisor.start(assignment, policy.kill_after)

    def _ended(self, assignment: Assignment, result: TaskResult) -> None:
        work = self._works.pop(assignment.key)
        if work.gang and not work.alone:
            self._gang_node_ended(work, result)
        elif result.outcome == "failed":
            self._task_failed(work, result)
        else:
            self._on_result(result)
            self._ready.appendleft(self._frontier.follow(work, result))

    def _task_failed(self, work: Work, result: TaskResult) -> None:
        if self._retry([work]):
            return
        self._lose(work)
        self._on_result(result)

    def _lose(self, work: Work) -> None:
        """Go on without the split of a task that failed for good, if a foreach allows it."""
        tolerated, join = self._frontier.lose(work)
        self._failed = self._failed or not tolerated
        if join is not None:
            self.add([join])

    def _retry(self, works: list[Work]) -> bool:
        """Queue another attempt of each, if the budget allows; whether it does."""
        policy = self._policies(works[0].step)
        made = works[0].retries + 1
        if made >= policy.attempts or not self._options.tries_again or not self._supervisor.can_start:
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

    def _gang_node_ended(self, work: Work, result: TaskResult) -> None:
        place = (work.step, work.path[:-1])
        gang = self._gangs.setdefault(place, _Gang(int(work.gang["num_nodes"])))
        gang.ended.append((work, result))
        # A node that `@catch` stood in for has failed as well: the others may wait for it for ever.
        if result.outcome in ("failed", "caught") and not gang.stopping:
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
            self._gang_finished(ended)
            return
        gang.stopping = False
        if self._retry([pair[0] for pair in ended]):
            return
        after = [
            (node_work, self._caught_in_gang(node_work, node_result)) for node_work, node_result in ended
        ]
        if any(node_result.outcome == "failed" for _, node_result in after):
            self._lose(ended[0][0])
            for _, node_result in failures:
                self._on_result(node_result)
            return
        self._gang_finished(after)

    def _gang_finished(self, ended: Iterable[tuple[Work, TaskResult]]) -> None:
        for work, result in ended:
            self._on_result(result)
            self._ready.append(self._frontier.follow(work, result))

    def _caught_in_gang(self, work: Work, result: TaskResult) -> TaskResult:
        """What ``@catch`` makes of a node of a gang that failed for good: a further attempt, without user code.

        A node is not caught when its process dies, as the gang may be tried again as a whole. On Airflow a further attempt is
        a further try of the task, and Airflow makes that.
        """
        options = self._options
        if (
            result.outcome != "failed"
            or options.airflow
            or not options.last
            or not self._supervisor.can_start
        ):
            return result
        cause = result.exception.message if result.exception else ""
        again = msgspec.structs.replace(result.key, attempt=result.key.attempt + 1)
        assignment = Assignment(
            key=again,
            store=options.store,
            index_path=work.path,
            parents=work.parents,
            retry_count=work.retries,
        )
        return self._supervisor.caught(assignment, cause) or result

    def _drain(self, grace: float, because: str) -> None:
        """Let what runs end by itself for ``grace`` seconds, then kill it; what does end in time counts."""
        give_up = time.monotonic() + grace
        killed = False
        while self._supervisor.count:
            for assignment, result in self._supervisor.wait(
                min(1.0, max(0.0, give_up - time.monotonic()) or 1.0)
            ):
                self._works.pop(assignment.key)
                cut_short = killed and result.outcome == "failed"
                (self._on_cut_short if cut_short else self._on_result)(result)
            if not killed and time.monotonic() >= give_up:
                killed = True
                self._supervisor.kill(because)


class _Gang:
    """The nodes of one gang."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.ended: list[tuple[Work, TaskResult]] = []
        self.stopping = False
