"""The task between two levels of a nested foreach."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator, Context

from airflow_mlflow_provider.operators.credentials import provide_credentials
from airflow_mlflow_provider.operators.pointer import POINTER_KEY, splits_of
from airflow_mlflow_provider.operators.unit_try import UnitTry
from airflow_mlflow_provider.operators.upstream import any_failed, ended_by_themselves
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.elements import Element, Split, elements
from airflow_mlflow_provider.plan.identity import airflow_run_id


class PlanningOperator(BaseOperator):
    """Gathers the index paths that all instances of a mapped split opened, as one flat list.

    Airflow has no flat map over XComs: expanding over a mapped task gives one instance per upstream *list*. It starts when all
    instances have ended, however they have, so that a failure under one index path is none of another's.

    Args:
        deployment: The flow.
        split: Name of the unit whose instances split.
    """

    ui_color = "#f4f4f5"

    def __init__(self, *, deployment: Deployment, split: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deployment = deployment
        self.split = split

    def execute(self, context: Context) -> list[Element]:
        """The list that the inner scope is expanded over, in lexicographic order of the index paths."""
        splits = self._current(splits_of(self._pointers(context["ti"])), context)
        opener = self.deployment.plan.units[self.split].steps[-1]
        found = instances(self.deployment, opener, splits, context, self.deployment.manifest.task_group)
        self.log.info(
            "%s opened %d index paths in all.", self.split, sum(len(each["paths"]) for each in found)
        )
        return found

    def _pointers(self, ti: Any) -> list[Any]:
        """What the instances have opened; the inner scope of index paths that failed is left out."""
        task = self.deployment.manifest.airflow_task(self.split)
        if any_failed(ti, [task]):
            indexes = ended_by_themselves(ti, task)
            return [ti.xcom_pull(task_ids=task, key=POINTER_KEY, map_indexes=index) for index in indexes]
        # A list of task ids gives a list of values, also where only one instance has one.
        return list(ti.xcom_pull(task_ids=[task], key=POINTER_KEY))

    def _current(self, splits: list[Split], context: Context) -> list[Split]:
        """Without those of a run before a clear, after which a switch took another way.

        Airflow deletes what a task pushed when the task starts again; one that is skipped instead keeps it.
        """
        unit = self.deployment.plan.units[self.split]
        if not unit.conditional:
            return splits
        provide_credentials(self.deployment.manifest)
        paths, part = tuple(split.path for split in splits), self.deployment.manifest.task_group
        chosen = set(UnitTry(self.deployment, unit, paths, context, part=part).chosen_paths())
        return [split for split in splits if split.path in chosen]


def instances(
    deployment: Deployment, split: str, splits: Iterable[Split], context: Context, part: str
) -> list[Element]:
    """The list to expand over: no longer than the deployment and Airflow allow, each element with as many splits as asked for.

    Args:
        deployment: The flow.
        split: The step that splits.
        splits: What its tasks opened.
        context: That of the task that returns the list.
        part: Which part of the DAG run the flow's run is, if it is not all of it.
    """
    limits = deployment.manifest.limits
    widest = min(limits.max_map_width, conf.getint("core", "max_map_length"))
    return elements(splits, widest, limits.splits_per_task, _first_attempt(deployment, split, context, part))


def _first_attempt(deployment: Deployment, split: str, context: Context, part: str) -> int:
    """A storage attempt that is new to all tasks below a split, for a list that is made again, after a clear.

    An instance that stood for other index paths before counts its tries from there, and so uses no number twice.
    """
    ti = context["ti"]
    if ti.try_number == 1:
        return 0
    from airflow_mlflow_provider.store.ledger import Ledger
    from airflow_mlflow_provider.store.location import open_store

    manifest = deployment.manifest
    provide_credentials(manifest)
    ledger, run = Ledger(open_store(manifest.store)), airflow_run_id(ti.dag_id, ti.run_id, part)
    below = (node.name for node in manifest.graph if split in node.frames)
    return max((ledger.unused_attempt(manifest.flow_name, run, step) for step in below), default=0)
