"""Results of earlier tasks that a unit can take over before any pod is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plan.units import Unit
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.request import UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.step_cache import StepCache, caches, reused_record, task_inputs
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


def reuse_results(
    ledger: Ledger, manifest: FlowManifest, unit: Unit, request: UnitRequest
) -> UnitResult | None:
    """Commit earlier results as those of the unit's tasks, if the cache has one for each of them.

    Where it has not, nothing is committed, and the tasks look for themselves in their pod. The start step does too: its inputs are
    parameters, which only the flow's code can check.

    Raises:
        MetaflowDataMissing: A parent of a task has no record.
        StoreException: The store failed.
    """
    if unit.kind != "single" or unit.name == manifest.graph.start:
        return None
    records = []
    for record in _found(ledger, manifest, request):
        if record is None:
            return None
        records.append(record)
    for record in records:
        ledger.commit(record)
    return UnitResult(tuple(result_of(record) for record in records))


def _found(ledger: Ledger, manifest: FlowManifest, request: UnitRequest) -> Iterator[DoneRecord | None]:
    """The record of each task, or ``None`` once; looked for one after another."""
    step = request.steps[0]
    node, started = manifest.graph[step], time.time()
    cache = StepCache(ledger, manifest, node)
    for path in request.paths:
        key = AttemptKey(request.flow, request.run, step, task_id(path), request.attempt)
        assignment = Assignment(key, request.store, index_path=path)
        if not caches(node, assignment):
            yield None
            return
        inputs = task_inputs(ledger, manifest.graph, assignment)
        result = None if inputs is None else cache.look_up(key.task, inputs).result
        if inputs is None or result is None:
            yield None
            return
        yield reused_record(result, assignment, inputs, started)
