"""Resuming: what a new run takes over from an origin run, and where it goes on.

The plan is made by walking the *new* graph from its start. A task that finished in the origin, and that nothing speaks against
taking over, is passed through as if it had just ended; any other task is where the new run goes on. Nothing that lies
after such a task is taken over. So a step that was inserted since runs, a renamed step runs, a removed one is dropped.

The walk costs one listing per step, and one read per split or switch that is passed. Tasks taken over are neither read nor
copied: one object, ``carried.json``, names them all.
"""

from __future__ import annotations

import difflib
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping

import msgspec

from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, ROOT_TASK_ID, task_id
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.runtime.frontier import Frontier, Work
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.run_members import members_key
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, Carried, CarriedTasks, DoneRecord, RunRecord

_SHOWN_REASONS = 1000


class ResumeRequest(msgspec.Struct, frozen=True):
    """What to resume.

    Attributes:
        origin: Run id of the origin.
        step: Step to run again with all that follows it, ``None`` for what has not finished only.
        changed: Names of the parameters and configs that have other values now.
        rerun_changed: Whether steps whose code differs from the origin's run again for it.
        until: Step to stop after: only it and what it needs are walked. ``None`` for the whole flow.
    """

    origin: str
    step: str | None = None
    changed: frozenset[str] = frozenset()
    rerun_changed: bool = False
    until: str | None = None


class ResumeSummary(msgspec.Struct, frozen=True):
    """What a resumed run takes over and runs, as people are told.

    Attributes:
        origin: Run id of the origin.
        taken_over: Number of tasks taken over, by step.
        runs: Why each of the tasks runs that the run starts with, by ``step/task``; the first thousand.
        more: How many there are besides.
        changed: Steps that are taken over although their code has changed since.
    """

    origin: str
    taken_over: dict[str, int] = {}
    runs: dict[str, str] = {}
    more: int = 0
    changed: tuple[str, ...] = ()


class ResumePlan(msgspec.Struct, frozen=True):
    """What a resumed run takes over and where it goes on.

    Attributes:
        origin: Run id of the origin.
        carried: The tasks taken over.
        frontier: The walk, to go on with.
        works: Tasks to start with.
        reasons: Why each of them runs: a line for people, by step and task id.
        changed: Steps that are taken over although their code has changed since.
        until: Step that the run stops after, ``None`` for its end.
        results: How each task taken over ended, as far as what follows it depends on it, in the order of the walk.
    """

    origin: str
    carried: Carried
    frontier: Frontier
    works: tuple[Work, ...]
    reasons: dict[str, str]
    changed: tuple[str, ...] = ()
    until: str | None = None
    results: tuple[TaskResult, ...] = ()

    @property
    def summary(self) -> ResumeSummary:
        """What it comes to, for people."""
        counts = {
            step: sum(len(group.tasks) for group in groups)
            for step, groups in self.carried.steps.items()
            if step != PARAMETERS_STEP
        }
        shown = dict(itertools.islice(self.reasons.items(), _SHOWN_REASONS))
        return ResumeSummary(self.origin, counts, shown, len(self.reasons) - len(shown), self.changed)


def plan_resume(ledger: Ledger, new: FlowGraph, old: FlowGraph, request: ResumeRequest) -> ResumePlan:
    """Plan a resumed run.

    Args:
        ledger: The records.
        new: The graph as it is now.
        old: The graph of the origin.
        request: What to resume.

    Raises:
        CommandException: The step does not exist.
    """
    for step in (request.step, request.until):
        _check_step(new, step)
    return _Planner(ledger, new, old, request).plan()


def _check_step(graph: FlowGraph, step: str | None) -> None:
    if step is None or step in graph:
        return
    near = difflib.get_close_matches(step, list(graph.steps), n=3)
    raise CommandException(
        f"{graph.name} has no step '{step}'" + (f" (close: {', '.join(near)})." if near else "."),
        fix=f"Name one of {', '.join(graph.steps)}.",
        where={"flow": graph.name, "step": step},
    )


def steps_until(graph: FlowGraph, step: str | None) -> frozenset[str]:
    """A step and all that may run before it; all steps of the flow for ``None``."""
    if step is None:
        return frozenset(graph.steps)
    found: set[str] = set()
    waiting = [step]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name].in_funcs
    return frozenset(found)


def plan_resume_of(ledger: Ledger, new: FlowGraph, request: ResumeRequest) -> ResumePlan:
    """Plan a resumed run; the origin's graph is read from its manifest.

    Raises:
        CommandException: The origin or the step does not exist.
    """
    origin = origin_record(ledger, new.name, request.origin)
    old = decode(ledger.blob(origin.manifest), f"manifest of {new.name}/{request.origin}").graph
    return plan_resume(ledger, new, old, request)


def origin_record(ledger: Ledger, flow: str, run: str) -> RunRecord:
    """What the origin was started with.

    Raises:
        CommandException: There is no such run; the message names the latest.
    """
    try:
        return ledger.run(flow, run)
    except MetaflowNotFound as error:
        raise CommandException(
            f"There is no run {flow}/{run} to resume. Latest runs: {', '.join(ledger.latest(flow, 5)) or 'none'}.",
            fix="Name a run with --origin-run-id.",
            where={"flow": flow, "run": run},
        ) from error


class _Planner:
    def __init__(self, ledger: Ledger, new: FlowGraph, old: FlowGraph, request: ResumeRequest) -> None:
        self._ledger, self._new, self._old, self._request = ledger, new, old, request
        self._flow = new.name
        self._failed = _failed_tasks(ledger, new.name, request.origin)
        self._done: dict[str, Mapping[str, AttemptKey]] = {}
        self._groups: dict[str, dict[tuple[str, int], list[str]]] = defaultdict(lambda: defaultdict(list))
        self._reasons: dict[str, str] = {}
        self._changed_code = {
            node.name
            for node in new
            if node.name in old and node.code and old[node.name].code and node.code != old[node.name].code
        }
        self._checks: tuple[Callable[[Work, AttemptKey], str], ...] = (
            self._step_reruns,
            self._kind_changed,
            self._reads_changed,
        )

    def plan(self) -> ResumePlan:
        frontier = Frontier(self._new, steps_until(self._new, self._request.until))
        if not self._request.changed:
            self._carry_members()
        waiting: deque[Iterator[Work]] = deque([iter([frontier.start()])])
        works: list[Work] = []
        results: list[TaskResult] = []
        while waiting:
            work = next(waiting[0], None)
            if work is None:
                waiting.popleft()
                continue
            result = self._taken_over(work)
            if result is None:
                works.append(work)
            else:
                results.append(result)
                waiting.appendleft(frontier.follow(work, result))
        carried = Carried(
            {
                step: tuple(
                    CarriedTasks(run, attempt, tuple(tasks)) for (run, attempt), tasks in groups.items()
                )
                for step, groups in self._groups.items()
            }
        )
        changed = tuple(sorted(self._changed_code.intersection(carried.steps)))
        return ResumePlan(
            self._request.origin,
            carried,
            frontier,
            tuple(works),
            self._reasons,
            changed,
            self._request.until,
            tuple(results),
        )

    def _taken_over(self, work: Work) -> TaskResult | None:
        task = task_id(work.path, work.iteration)
        key = self._keys(work.step).get(task)
        reason = self._against(work, key)
        if reason or key is None:
            self._reasons[f"{work.step}/{task}"] = reason
            return None
        self._groups[work.step][key.run, key.attempt].append(task)
        return self._result(work, key)

    def _against(self, work: Work, key: AttemptKey | None) -> str:
        """Why a task must run; empty if it can be taken over."""
        if key is None:
            return "has not finished" if work.step in self._old else "is new"
        if (work.step, key.task) in self._failed:
            return "failed"
        if work.gang and not self._whole_gang_done(work):
            return "another node of its gang has not finished"
        return next((reason for check in self._checks if (reason := check(work, key))), "")

    def _step_reruns(self, work: Work, key: AttemptKey) -> str:
        if work.step == self._request.step:
            return "was asked for"
        changed = self._request.rerun_changed and work.step in self._changed_code
        return "has other code now" if changed else ""

    def _kind_changed(self, work: Work, key: AttemptKey) -> str:
        new, old = self._new[work.step].transition, self._old[work.step].transition
        was = (old.kind, old.foreach, old.condition) if old else None
        now = (new.kind, new.foreach, new.condition) if new else None
        return "has another transition now" if was != now else ""

    def _reads_changed(self, work: Work, key: AttemptKey) -> str:
        if not self._request.changed:
            return ""
        changed = self._request.changed.intersection(self._record(key).reads)
        return f"it reads {', '.join(sorted(changed))}" if changed else ""

    def _whole_gang_done(self, work: Work) -> bool:
        done = self._keys(work.step)
        nodes = [task_id((*work.path[:-1], i)) for i in range(int(work.gang["num_nodes"]))]
        return all(node in done and (work.step, node) not in self._failed for node in nodes)

    def _result(self, work: Work, key: AttemptKey) -> TaskResult:
        """How a task that is taken over ended; read only where the graph does not say it."""
        node = self._new[work.step]
        if node.kind in ("foreach", "parallel", "switch"):
            result = result_of(self._record(key))
            # What was recorded is what was chosen; what follows is what the graph says now.
            return (
                result if node.kind == "switch" else msgspec.structs.replace(result, targets=node.out_funcs)
            )
        return TaskResult(key, "succeeded", work.path, work.iteration, node.out_funcs)

    def _record(self, key: AttemptKey) -> DoneRecord:
        return self._ledger.load_done([key])[0]

    def _keys(self, step: str) -> Mapping[str, AttemptKey]:
        if step not in self._done:
            self._done[step] = self._ledger.newest_done_keys(self._flow, self._request.origin, step)
        return self._done[step]

    def _carry_members(self) -> None:
        # Not looked up: a run whose origin never stored them stores them itself.
        flow, origin = self._flow, self._request.origin
        carried = self._ledger.carried(flow, origin).keys(flow, PARAMETERS_STEP)
        key = carried.get(ROOT_TASK_ID) or members_key(flow, origin)
        self._groups[PARAMETERS_STEP][key.run, key.attempt].append(ROOT_TASK_ID)


def _failed_tasks(ledger: Ledger, flow: str, run: str) -> set[tuple[str, str]]:
    """Step and task id of the tasks whose newest attempt failed.

    A run that was sealed says so itself. One that died says nothing, and its records have to be read.
    """
    end = ledger.run_end(flow, run)
    if end is not None and end.status != "terminated":
        return {(path.split("/")[2], path.split("/")[3]) for path in end.failed_tasks}
    return {
        (record.key.step, record.key.task)
        for step in ledger.steps(flow, run)
        for record in ledger.load_done(list(ledger.newest_done_keys(flow, run, step).values()))
        if not record.finished
    }
