"""Results of earlier tasks that a unit can take over before any pod is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from airflow_mlflow_provider.plan.identity import IndexPath, task_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plan.units import Unit
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.request import UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.single_flight import Busy, Flight, Patience
from airflow_mlflow_provider.runtime.step_cache import StepCache, caches, reused_record, task_inputs
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


class UnitCache:
    """Results of earlier tasks for a unit that would need a pod; and, for a unit of one task, the claim on its result.

    The claim is taken before there is a pod, which finds it taken on its behalf and gives signs of life. Until then nobody does,
    so it holds for as long as a pod may take to start.

    Args:
        ledger: The records.
        manifest: The flow.
        unit: The unit.
        request: What the pod is to run.
        lease_s: Seconds for which a claim holds until the pod gives a sign of life.
    """

    def __init__(
        self, ledger: Ledger, manifest: FlowManifest, unit: Unit, request: UnitRequest, lease_s: float
    ) -> None:
        self._ledger, self._manifest, self._request = ledger, manifest, request
        # The inputs of the start step are parameters, which only the flow's code can check; it looks for itself, in its pod.
        self._is_single = unit.kind == "single" and unit.name != manifest.graph.start
        self._lease_s = lease_s

    def look(self, waiting: Patience) -> UnitResult | Busy | None:
        """Commit earlier results as those of the unit's tasks, if the cache has one for each of them.

        Where it has not, nothing is committed.

        Args:
            waiting: How long others have been waited for.

        Returns:
            What was committed; whoever computes the result now and is to be waited for; ``None`` if the unit has to run, and
            the claim on the result of its one task is taken.

        Raises:
            MetaflowDataMissing: A parent of a task has no record.
            StoreException: The store failed.
        """
        if not self._is_single:
            return None
        records = self._found()
        if records is None:
            flight = None if waiting.is_lost else self._flight()
            if flight is None:
                return None
            busy = _taken(flight, waiting)
            if busy is not None:
                return busy
            # Whoever gave the claim up, be it between our look and our claim, has kept a result first.
            records = self._found()
            if records is None:
                return None
            flight.release()
        for record in records:
            self._ledger.commit(record)
        return UnitResult(tuple(result_of(record) for record in records))

    def release(self) -> None:
        """Give the claim up, if it is this task's: the pod could not."""
        flight = self._flight()
        if flight is not None:
            flight.release()

    @property
    def claims(self) -> bool:
        """Whether the unit's result is claimed here; of any other unit, each attempt claims its own where it runs."""
        return self._is_single and len(self._request.paths) == 1

    def _found(self) -> list[DoneRecord] | None:
        """The records of all tasks, ``None`` if one of them has to run."""
        records = []
        for record in _found(self._ledger, self._manifest, self._request):
            if record is None:
                return None
            records.append(record)
        return records

    def _flight(self) -> Flight | None:
        if not self.claims:
            return None
        assignment = _assignment(self._request, self._request.paths[0])
        node = self._manifest.graph[assignment.key.step]
        inputs = (
            task_inputs(self._ledger, self._manifest.graph, assignment) if caches(node, assignment) else None
        )
        if inputs is None:
            return None
        name = StepCache(self._ledger, self._manifest, node).claim_key(inputs)
        return Flight(self._ledger.store, name, assignment.key, self._lease_s)


def _taken(flight: Flight, waiting: Patience) -> Busy | None:
    """Take the claim, also that of an owner who is silent for too long; whose it is if neither could be."""
    busy = flight.take()
    return None if busy is None or (waiting.is_over(busy) and flight.take_over(busy)) else busy


def _assignment(request: UnitRequest, path: IndexPath) -> Assignment:
    key = AttemptKey(request.flow, request.run, request.steps[0], task_id(path), request.attempt)
    return Assignment(key, request.store, index_path=path)


def _found(ledger: Ledger, manifest: FlowManifest, request: UnitRequest) -> Iterator[DoneRecord | None]:
    """The record of each task, or ``None`` once; looked for one after another."""
    step = request.steps[0]
    node, started = manifest.graph[step], time.time()
    cache = StepCache(ledger, manifest, node)
    for path in request.paths:
        assignment = _assignment(request, path)
        if not caches(node, assignment):
            yield None
            return
        inputs = task_inputs(ledger, manifest.graph, assignment)
        result = None if inputs is None else cache.look_up(assignment.key.task, inputs).result
        if inputs is None or result is None:
            yield None
            return
        yield reused_record(result, assignment, inputs, started)
