"""What ``@catch`` stores when the process of a step's last attempt died: no user code runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from airflow_mlflow_provider.exception import (
    FailureHandledByCatch,
    MetaflowException,
    MetaflowExceptionWrapper,
    MetaflowInternalError,
)
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.attempt_inputs import AttemptInputs
from airflow_mlflow_provider.runtime.death import record_of_death
from airflow_mlflow_provider.runtime.take import static_transition
from airflow_mlflow_provider.store.artifacts import ArtifactWriter
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord, ExceptionRecord


def caught_death(
    ledger: Ledger, graph: FlowGraph, assignment: Assignment, attempts: int, cause: str
) -> DoneRecord:
    """The record by which a flow goes on after a process died; its artifacts are stored, it is not committed.

    Args:
        ledger: The records.
        graph: The flow's graph.
        assignment: The attempt that died.
        attempts: How many attempts were made.
        cause: How the process died.

    Raises:
        MetaflowInternalError: The step has no ``@catch``.
        MetaflowDataMissing: What the step starts from is not stored.
        StoreException: The store failed.
    """
    key, node = assignment.key, graph[assignment.key.step]
    spec = node.decorator("catch")
    if spec is None:
        raise MetaflowInternalError(f"Step {key.step} has no @catch.")
    inputs = AttemptInputs(ledger, graph, assignment)
    parents = inputs.parents()
    artifacts = dict(inputs.inherited(parents))
    variable = spec.attributes.get("var")
    error = FailureHandledByCatch(attempts, cause, where=inputs.where)
    if variable is not None:
        writer = ArtifactWriter(ledger.store, f"{key.prefix}/pack")
        artifacts[variable] = writer.add(variable, MetaflowExceptionWrapper(error))
        writer.flush()
    begun = ledger.begun(key)
    now = time.time()
    kind = type(error)
    return DoneRecord(
        key=key,
        outcome="caught",
        started_at=now if begun is None else begun.started_at,
        ended_at=now,
        index_path=assignment.index_path,
        iteration=assignment.iteration,
        frames=inputs.frames(parents),
        parents=tuple(parent.key for parent in parents),
        transition=static_transition(node),
        artifacts=artifacts,
        exception=ExceptionRecord(f"{kind.__module__}.{kind.__qualname__}", str(error)),
    )


def stand_in(ledger: Ledger, graph: FlowGraph) -> Callable[[Assignment, str], DoneRecord | None]:
    """What a supervisor asks for the record of an attempt whose process died, where it cannot make one of its own.

    The death of a node of a gang is not stood in for: its gang is tried again, or ends, as a whole.
    """

    def record(assignment: Assignment, cause: str) -> DoneRecord | None:
        caught = assignment.last and not assignment.gang and graph[assignment.key.step].decorator("catch")
        if not caught:
            return _with_parents(ledger, graph, assignment, cause)
        return caught_death(ledger, graph, assignment, assignment.retry_count + 1, cause)

    return record


def _with_parents(ledger: Ledger, graph: FlowGraph, assignment: Assignment, cause: str) -> DoneRecord | None:
    """The record of a death that names what the task started from, where only the task itself had looked that up."""
    if assignment.parents is not None:
        return None
    try:
        parents = AttemptInputs(ledger, graph, assignment).parents()
    except MetaflowException:
        return None
    keys = tuple(parent.key for parent in parents)
    return record_of_death(msgspec.structs.replace(assignment, parents=keys), cause)
