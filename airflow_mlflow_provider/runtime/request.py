"""What one unit of execution is asked to do, and what it answers.

An Airflow task instance, a pod and a shard all run a *unit*: a connected region of steps, for one index path or for
several. The request is JSON and holds no value of a user: parameters travel in the run's record.
"""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_mlflow_provider.store.records import AttemptKey, ExceptionRecord, Outcome, RunRecord


class UnitRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Run ``steps`` for each of ``paths``.

    Attributes:
        store: URL of the artifact store.
        flow: Name of the flow.
        run: Run id.
        steps: The region; its first step is where each path enters.
        paths: Index paths of the first step, each of one task or loop. More than one is a shard.
        attempt: Storage attempt of this try, 0-based, never used before for these tasks.
        retry_count: What ``current.retry_count`` shows.
        last: Whether no further try will follow if this one fails.
        new_run: The run's record, to be created if absent; only the unit of the start step carries it.
        airflow: Where the unit runs in Airflow: ``dag_id``, ``dag_run_id``, ``task_id``, ``map_index``,
            ``try_number``, ``log_url``, ``logical_date``.
        max_workers: Tasks of the unit that may run at once; 0 means one per CPU.
        waits: Whether a step with ``@cache`` waits for another task that computes the same; not in a pod whose operator has waited.
        bundle: The flow's file in the DAG bundle on this machine, for a flow that is deployed with ``--code bundle``.
        fallback: Run no user code; commit what ``@catch`` stores after a process died, with this cause.
        node: For a gang whose nodes have a machine each: index of the node to run; ``None`` runs all of them here.
    """

    store: str
    flow: str
    run: str
    steps: tuple[str, ...]
    paths: tuple[tuple[int, ...], ...] = ((),)
    attempt: int = 0
    retry_count: int = 0
    last: bool = True
    new_run: RunRecord | None = None
    airflow: dict[str, Any] = {}
    max_workers: int = 1
    waits: bool = True
    bundle: str = ""
    fallback: str | None = None
    node: int | None = None


class TaskResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one task of a unit ended, as its record says.

    Attributes:
        targets: Steps that follow; empty for the end step and for failures.
        num_splits: Width of the foreach or gang that the task opened.
        labels: Labels of its splits.
    """

    key: AttemptKey
    outcome: Outcome
    index_path: tuple[int, ...] = ()
    iteration: int | None = None
    targets: tuple[str, ...] = ()
    num_splits: int | None = None
    labels: tuple[str, ...] = ()
    exception: ExceptionRecord | None = None


class UnitResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a unit ended: the last task of every path and iteration that ran or was found done."""

    tasks: tuple[TaskResult, ...]

    @property
    def failed(self) -> tuple[TaskResult, ...]:
        """Tasks that failed."""
        return tuple(task for task in self.tasks if task.outcome == "failed")

    @property
    def without_failed(self) -> UnitResult:
        """The same of the other tasks."""
        return UnitResult(tuple(task for task in self.tasks if task.outcome != "failed"))
