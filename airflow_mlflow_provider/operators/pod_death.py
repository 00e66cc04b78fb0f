"""What the store says of a task whose pod ended without leaving a record: the client reads records, not pods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.plan.identity import parse_task_id
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.death import record_of_death
from airflow_mlflow_provider.runtime.request import UnitRequest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

    from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome

# Of a pod in any other phase nobody knows whether it still runs.
_OVER = ("Succeeded", "Failed", "Pending")


def record_pod_death(
    ledger: Ledger, request: UnitRequest, missing: Iterable[str], outcome: PodOutcome, log: Logger
) -> None:
    """Commit a failed attempt for each task that the pod had begun, with how the pod ended, or why it never started, as its exception.

    A pod that was lost from sight may still commit, so nothing is recorded of it; neither is anything of splits that had
    not begun, but for the only task of a unit.

    Args:
        ledger: The records.
        request: What the pod was to run.
        missing: The tasks without a record, as ``step/task``.
        outcome: How the pod ended.
        log: Is told when the store refuses; the task fails all the same.
    """
    if outcome.phase not in _OVER:
        return
    for name in missing:
        step, _, task = name.partition("/")
        key = AttemptKey(request.flow, request.run, step, task, request.attempt)
        path, iteration = parse_task_id(task)
        assignment = Assignment(
            key=key, store=request.store, index_path=path, iteration=iteration, airflow=request.airflow
        )
        timed_out = outcome.reason == "DeadlineExceeded"
        try:
            if len(request.paths) == 1 or ledger.begun(key) is not None:
                ledger.commit(record_of_death(assignment, outcome.summary, timed_out=timed_out))
        except MetaflowException as error:
            log.warning("What happened to %s is not recorded: %s", name, error)
