"""What Airflow says of the task instances before one, for tasks that start although some of those have failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_FAILED = ["failed", "upstream_failed"]


def any_failed(ti: Any, tasks: Sequence[str], map_index: int | None = None) -> bool:
    """Whether an instance of one of some tasks of the same DAG run has failed, or was not started for that reason.

    Args:
        ti: The running task instance.
        tasks: Ids of the tasks.
        map_index: The one instance of each to look at; all of them by default.
    """
    return bool(tasks) and bool(
        ti.get_ti_count(
            dag_id=ti.dag_id,
            task_ids=list(tasks),
            run_ids=[ti.run_id],
            states=_FAILED,
            map_index=map_index,
        )
    )


def ended_by_themselves(ti: Any, task: str) -> list[int]:
    """Map indexes of the instances of a mapped task of the same DAG run that have succeeded or failed, in order.

    Airflow deletes what an instance left when it starts again. One that was cleared and then not started, as what comes before it failed,
    still has what it left the first time: it is none of these.

    Args:
        ti: The running task instance.
        task: Id of the task.
    """
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task], run_ids=[ti.run_id]).get(ti.run_id, {})
    prefix = f"{task}_"
    return sorted(
        int(name[len(prefix) :])
        for name, state in states.items()
        if name.startswith(prefix) and str(state) in ("success", "failed")
    )
