"""How a unit ended, from the records alone: what a pod's phase cannot tell."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.plan.identity import IndexPath, parse_task_id, task_id
from airflow_mlflow_provider.plan.scopes import is_gang
from airflow_mlflow_provider.runtime.request import UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


class Verdict(msgspec.Struct, frozen=True):
    """What the records say of a unit.

    Attributes:
        result: The tasks that have ended.
        missing: Names of the tasks that have no record of this try or one before it within the same budget.
    """

    result: UnitResult
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every task of the unit has finished."""
        return not self.missing and not self.result.failed


def verdict(ledger: Ledger, graph: FlowGraph, request: UnitRequest) -> Verdict:
    """Read how a unit ended.

    Args:
        ledger: The records.
        graph: The flow's graph.
        request: What was to be run.
    """
    reader = _Reader(ledger, graph, request)
    found: list[DoneRecord] = []
    missing: list[str] = []
    for path in request.paths:
        for step, task, record in reader.last_tasks(path):
            if record is None:
                missing.append(f"{step}/{task}")
            else:
                found.append(record)
    return Verdict(UnitResult(tuple(map(result_of, found))), tuple(missing))


def gang_width(ledger: Ledger, graph: FlowGraph, request: UnitRequest, path: IndexPath) -> int:
    """Number of nodes of the gang that the split on ``path`` opened; 1 if that has no record.

    Args:
        ledger: The records.
        graph: The flow's graph.
        request: What was to be run: a gang.
        path: Index path of the split.
    """
    split = graph[request.steps[0]].frames[-1]
    opener = ledger.newest_done(request.flow, request.run, split, task_id(path))
    return (opener.transition.num_splits if opener and opener.transition else None) or 1


class _Reader:
    def __init__(self, ledger: Ledger, graph: FlowGraph, request: UnitRequest) -> None:
        self._ledger, self._graph, self._request = ledger, graph, request
        self._oldest = request.attempt - request.retry_count

    def last_tasks(self, path: IndexPath) -> Iterator[tuple[str, str, DoneRecord | None]]:
        """Where each path of the unit stands: the step and task that it has reached, and the record if it has one."""
        first = self._graph[self._request.steps[0]]
        if is_gang(self._graph, first.name):
            yield from self._gang(first, path)
        elif first.is_loop:
            yield self._loop(first, path)
        else:
            yield self._chain(path)

    def _chain(self, path: IndexPath) -> tuple[str, str, DoneRecord | None]:
        task = task_id(path)
        *before, last = self._request.steps
        for step in before:
            record = self._record(step, task)
            if record is None or not record.finished:
                return step, task, record
        return last, task, self._record(last, task)

    def _gang(self, node: StepNode, path: IndexPath) -> Iterator[tuple[str, str, DoneRecord | None]]:
        width = gang_width(self._ledger, self._graph, self._request, path)
        tasks = [task_id((*path, index)) for index in range(width)]
        records = {task: self._record(node.name, task) for task in tasks}
        newest = max((record.key.attempt for record in records.values() if record is not None), default=0)
        for task, record in records.items():
            # A gang is tried again as a whole: what a node did in an earlier try does not count when another ran again.
            outdated = record is not None and record.key.attempt < newest and self._request.retry_count
            yield node.name, task, None if outdated else record

    def _loop(self, node: StepNode, path: IndexPath) -> tuple[str, str, DoneRecord | None]:
        keys: dict[int, AttemptKey] = {}
        for task, key in self._ledger.newest_done_keys(
            self._request.flow, self._request.run, node.name
        ).items():
            found, iteration = parse_task_id(task)
            if found == path and iteration is not None and key.attempt >= self._oldest:
                keys[iteration] = key
        if not keys:
            return node.name, task_id(path, 0), None
        last = max(keys)
        (record,) = self._ledger.load_done([keys[last]])
        if record.transition and node.name in record.transition.targets:
            return node.name, task_id(path, last + 1), None
        return node.name, record.key.task, record

    def _record(self, step: str, task: str) -> DoneRecord | None:
        request = self._request
        # That of this try is one request away; which others there are takes a listing.
        own = self._ledger.done(AttemptKey(request.flow, request.run, step, task, request.attempt))
        if own is not None:
            return own
        record = self._ledger.newest_done(request.flow, request.run, step, task)
        return record if record is not None and record.key.attempt >= self._oldest else None
