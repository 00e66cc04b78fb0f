"""Which tasks of the store a task instance of Airflow stands for; told from the records, Airflow need not know it any more."""

from __future__ import annotations

import msgspec

from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.elements import Split, elements
from airflow_mlflow_provider.plan.identity import IndexPath, parse_task_id
from airflow_mlflow_provider.plan.units import Unit
from airflow_mlflow_provider.store.ledger import Ledger

NOT_MAPPED = -1


class Instance(msgspec.Struct, frozen=True):
    """What a task instance runs.

    Attributes:
        unit: The unit: its steps, in order.
        paths: Index paths of the unit's scope; several for a shard.
        label: What Airflow shows instead of the map index.
    """

    unit: Unit
    paths: tuple[IndexPath, ...]
    label: str = ""

    def holds(self, task: str) -> bool:
        """Whether a task of one of the unit's steps belongs to the instance: also each iteration of a loop and each worker of a gang."""
        path, _ = parse_task_id(task)
        return path[: len(self.unit.frames)] in self.paths


def instance_of(
    ledger: Ledger, deployment: Deployment, run: str, task_id: str, map_index: int, max_width: int
) -> Instance | None:
    """What a task instance stands for.

    Args:
        ledger: The records of the run's store.
        deployment: The flow as it was when the run began.
        run: Run id.
        task_id: Id of the Airflow task.
        map_index: Index of the mapped instance, -1 for one that is not mapped.
        max_width: Largest number of instances that a task is expanded to.

    Returns:
        ``None`` for a task that runs no step, and for an index that the split has not opened.
    """
    unit = deployment.plan.units.get(task_id)
    if unit is None:
        return None
    if not unit.frames:
        return Instance(unit, ((),))
    opened = elements(_splits(ledger, deployment, run, unit.frames[-1]), max_width)
    if not 0 <= map_index < len(opened):
        return None
    element = opened[map_index]
    return Instance(unit, tuple(tuple(path) for path in element["paths"]), element["label"])


def _splits(ledger: Ledger, deployment: Deployment, run: str, step: str) -> list[Split]:
    """What the tasks of a split opened."""
    flow = deployment.manifest.flow_name
    records = ledger.load_done(list(ledger.newest_done_keys(flow, run, step).values()))
    return [
        Split(
            path=record.index_path,
            width=record.transition.num_splits or 0,
            var=record.transition.foreach or "",
            labels=record.transition.labels,
            around=tuple(
                f"{frame.var or frame.step}={frame.label or frame.index}" for frame in record.frames
            ),
        )
        for record in records
        if record.finished and record.transition is not None
    ]
