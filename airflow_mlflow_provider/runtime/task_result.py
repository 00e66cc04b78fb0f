"""From a record to what schedulers need to know of it."""

from __future__ import annotations

from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.store.records import DoneRecord


def result_of(record: DoneRecord) -> TaskResult:
    """What schedulers need to know of a record."""
    taken = record.transition
    return TaskResult(
        key=record.key,
        outcome=record.outcome,
        index_path=record.index_path,
        iteration=record.iteration,
        targets=taken.targets if taken else (),
        num_splits=taken.num_splits if taken else None,
        labels=taken.labels if taken else (),
        exception=record.exception,
    )
