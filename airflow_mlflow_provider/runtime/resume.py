"""Resuming: what a new run takes over from an origin run, and where it goes on.

The plan is made by walking the *new* graph from its start. A task that finished in the origin, and that nothing speaks against
taking over, is passed through as if it had just ended; any other task is where the new run goes on. Nothing that lies
after such a task is taken over. So a step that was inserted since runs, a renamed step runs, a removed one is dropped: what came
after it is taken over if the removed step had set nothing.

The walk costs one read where the origin noted how its tasks ended, else one listing per step; and one read of many records at once per step that splits or chooses. Tasks taken over are neither read nor
copied: one object, ``carried.json``, names them all.
"""

from __future__ import annotations

import difflib
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, IndexPath, task_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.runtime.frontier import Frontier, Work
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.resume_changes import ChangedMembers, changed_members, parameters_of
from airflow_mlflow_provider.runtime.resume_origin import Origin
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, Carried, RunRecord
from airflow_mlflow_provider.store.task_groups import TaskGroups

_SHOWN_REASONS = 1000
_SHOWN_NAMES = 5

# Why a finished task must run, empty if nothing speaks against taking it over.
_Check = Callable[[Work, AttemptKey], str]


class ResumeRequest(msgspec.Struct, frozen=True):
    """What to resume.

    Attributes:
        origin: Run id of the origin.
        step: Step to run again with all that follows it, ``None`` for what has not finished only.
        parameters: Values given for the new run, as JSON by name; the others are the origin's.
        rerun_changed: Whether steps whose code differs from the origin's run again for it.
        until: Step to stop after: only it and what it needs are walked. ``None`` for the whole flow.
    """

    origin: str
    step: str | None = None
    parameters: dict[str, Any] = {}
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
        parameters: Values of the run's parameters, as JSON by name.
    """

    origin: str
    carried: Carried
    frontier: Frontier
    works: tuple[Work, ...]
    reasons: dict[str, str]
    changed: tuple[str, ...] = ()
    until: str | None = None
    results: tuple[TaskResult, ...] = ()
    parameters: dict[str, Any] = {}

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


def plan_resume_of(ledger: Ledger, manifest: FlowManifest, request: ResumeRequest) -> ResumePlan:
    """Plan a resumed run; what its origin was is read from the origin's record and manifest.

    Args:
        ledger: The records.
        manifest: The flow as it is now.
        request: What to resume.

    Raises:
        CommandException: The origin or the step does not exist.
    """
    flow = manifest.flow_name
    origin = origin_record(ledger, flow, request.origin)
    for step in (request.step, request.until):
        _check_step(manifest.graph, step)
    old = decode(ledger.blob(origin.manifest), f"manifest of {flow}/{request.origin}")
    names = {spec.name for spec in manifest.parameters}
    before = {n: value for n, value in parameters_of(old, origin.parameters).items() if n in names}
    parameters = {**before, **request.parameters}
    members = changed_members(manifest, old, before, parameters)
    plan = _Planner(ledger, manifest.graph, old.graph, request, members).plan()
    return msgspec.structs.replace(plan, parameters=parameters)


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
    def __init__(
        self,
        ledger: Ledger,
        new: FlowGraph,
        old: FlowGraph,
        request: ResumeRequest,
        members: ChangedMembers,
    ) -> None:
        self._new, self._old, self._request, self._members = new, old, request, members
        self._origin = Origin(ledger, new.name, request.origin)
        self._carried = TaskGroups()
        self._reasons: dict[str, str] = {}
        self._gangs: dict[tuple[str, IndexPath], dict[IndexPath, str]] = {}
        self._changed_code = {
            node.name
            for node in new
            if node.name in old and node.code and old[node.name].code and node.code != old[node.name].code
        }
        self._read_names = members.values | (members.constants if request.rerun_changed else set())
        self._by_step: dict[str, tuple[str, tuple[_Check, ...]]] = {}

    def plan(self) -> ResumePlan:
        frontier = Frontier(self._new, steps_until(self._new, self._request.until))
        if not self._members.any:
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
        carried = self._carried.carried()
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
        reason = self._against(work)
        key = self._origin.finished(work.step).get(task)
        if reason or key is None:
            self._reasons[f"{work.step}/{task}"] = reason
            return None
        self._carried.add(key)
        return self._result(work, key)

    def _against(self, work: Work) -> str:
        """Why a task must run; empty if it can be taken over. What speaks against one node of a gang does against all."""
        if not work.gang:
            return self._against_alone(work)
        outer = work.path[:-1]
        reasons = self._gangs.setdefault((work.step, outer), {})
        if not reasons:
            for index in range(int(work.gang["num_nodes"])):
                node = msgspec.structs.replace(work, path=(*outer, index))
                reasons[node.path] = self._against_alone(node)
        others = (f"node {path[-1]} of its gang {why}" for path, why in reasons.items() if why)
        return reasons[work.path] or next(others, "")

    def _against_alone(self, work: Work) -> str:
        task = task_id(work.path, work.iteration)
        key = self._origin.finished(work.step).get(task)
        if key is None:
            if work.step not in self._old:
                return "is new"
            return "failed" if task in self._origin.failed(work.step) else "has not finished"
        reason, checks = self._of_step(work.step)
        return reason or next((reason for check in checks if (reason := check(work, key))), "")

    def _of_step(self, step: str) -> tuple[str, tuple[_Check, ...]]:
        """Why all tasks of a step must run; else what is to be asked for each of them, which is nothing for most steps."""
        if step not in self._by_step:
            reason = self._step_reruns(step) or self._stands_elsewhere(step) or self._leads_elsewhere(step)
            checks: list[_Check] = []
            if not reason and self._new[step].kind == "switch":
                checks.append(self._chooses_elsewhere)
            if not reason and not self._is_entered_as_before(step):
                checks.append(self._starts_from_others)
            self._by_step[step] = (
                reason,
                (*checks, self._reads_changed) if self._read_names else tuple(checks),
            )
        return self._by_step[step]

    def _step_reruns(self, step: str) -> str:
        if step == self._request.step:
            return "was asked for"
        changed = self._request.rerun_changed and step in self._changed_code
        return "has other code now" if changed else ""

    def _stands_elsewhere(self, step: str) -> str:
        """Whether the step has moved into another foreach, or is a join now and was none."""
        if step not in self._old:
            return "is new"
        new, old = self._new[step], self._old[step]
        same = (new.frames, new.has_inputs) == (old.frames, old.has_inputs)
        return "" if same else "stands elsewhere in the flow now"

    def _leads_elsewhere(self, step: str) -> str:
        new, old = self._new[step].transition, self._old[step].transition
        was = (old.kind, old.foreach, old.condition) if old else None
        now = (new.kind, new.foreach, new.condition) if new else None
        return "" if was == now else "has another transition now"

    def _chooses_elsewhere(self, work: Work, key: AttemptKey) -> str:
        new, old = self._new[work.step].transition, self._old[work.step].transition
        if new is None or old is None or new.cases == old.cases:
            return ""
        # Which case it was is not recorded, but which step it chose: all cases that led there must still do.
        chosen = result_of(self._origin.record(key)).targets
        lead = {case for case, target in old.cases if target in chosen}
        still = {case for case, target in new.cases if target in chosen}
        return "" if lead <= still else "may choose another step now"

    def _starts_from_others(self, work: Work, key: AttemptKey) -> str:
        """Whether a step was removed before this one, or moved, and what this one started from is not there any more."""
        before = self._origin.record(key).parents
        parents = work.parents or ()
        if before == parents:
            return ""
        if self._new[work.step].has_inputs:
            return "has other branches now"
        was, now = self._origin.artifacts(before), self._origin.artifacts(parents)
        if was is None or now is None:
            return "comes after another step now"
        different = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
        if not different:
            return ""
        shown = ", ".join(different[:_SHOWN_NAMES])
        return f"comes after another step now, with another {shown}"

    def _is_entered_as_before(self, step: str) -> bool:
        new, old = self._new[step], self._old[step]
        if set(new.in_funcs) != set(old.in_funcs):
            return False
        if not new.has_inputs:
            return True
        split = new.matching_split or ""
        return (
            split == old.matching_split
            and self._new[split].out_funcs == self._old[split].out_funcs
            and new.branches == old.branches
        )

    def _reads_changed(self, work: Work, key: AttemptKey) -> str:
        changed = self._read_names.intersection(self._origin.record(key).reads)
        return f"reads {', '.join(sorted(changed))}, which has another value now" if changed else ""

    def _result(self, work: Work, key: AttemptKey) -> TaskResult:
        """How a task that is taken over ended; read only where the graph does not say it."""
        node = self._new[work.step]
        if node.kind in ("foreach", "parallel", "switch"):
            return result_of(self._origin.record(key), node)
        return TaskResult(key, "succeeded", work.path, work.iteration, node.out_funcs)

    def _carry_members(self) -> None:
        self._carried.add(self._origin.members())
