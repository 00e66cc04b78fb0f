"""From a record to what schedulers need to know of it."""

from __future__ import annotations

from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.store.records import DoneRecord


def result_of(record: DoneRecord, node: StepNode | None = None) -> TaskResult:
    """What schedulers need to know of a record.

    Args:
        record: The record.
        node: The step as it is now, for a record that was taken over: what follows is what the graph says, but for what a
            switch chose. ``None`` where the record is of the graph that runs.
    """
    taken = record.transition
    targets = taken.targets if taken else ()
    if taken and node is not None and node.kind != "switch":
        targets = node.out_funcs
    return TaskResult(
        key=record.key,
        outcome=record.outcome,
        index_path=record.index_path,
        iteration=record.iteration,
        targets=targets,
        num_splits=taken.num_splits if taken else None,
        labels=taken.labels if taken else (),
        exception=record.exception,
    )
