"""Runs of flows that are parts of a DAG run, in a DAG of somebody else's: task groups and single steps."""

from __future__ import annotations

from typing import NamedTuple

from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.operators.origin import FLOW_RUN_KEY
from airflow_mlflow_provider.operators.pointer import POINTER_KEY
from airflow_mlflow_provider.store.ledger import Ledger

_MOST_PARTS = 100


class RunPart(NamedTuple):
    """A run of a flow that is a part of a DAG run.

    Attributes:
        name: Id of the task group, or of the task and its map index; empty where the tasks of a DAG make up one run.
        flow: Name of the flow.
        run: Run id.
    """

    name: str
    flow: str
    run: str


def parts_of(dag_id: str, dag_run_id: str) -> list[RunPart]:
    """The parts of a DAG run that have begun, oldest first, as their first tasks have told."""
    wanted = (
        select(XComModel.value)
        .where(XComModel.dag_id == dag_id, XComModel.run_id == dag_run_id, XComModel.key == FLOW_RUN_KEY)
        .order_by(XComModel.timestamp, XComModel.task_id)
        .limit(_MOST_PARTS)
    )
    with create_session(scoped=False) as session:
        values = list(session.scalars(wanted))
    found: dict[str, RunPart] = {}
    for value in values:
        # Runs of other DAGs that this one has started have no part.
        if isinstance(value, dict) and isinstance(value.get("part"), str):
            flow, _, run = str(value.get("pathspec")).partition("/")
            found[value["part"]] = RunPart(value["part"], flow, run)
    return list(found.values())


def part_of_task(dag_id: str, dag_run_id: str, task_id: str, map_index: int) -> str:
    """Name of the part that a task is in; empty for a task of a flow's own DAG."""
    whole = f"{task_id}-{map_index}" if map_index >= 0 else task_id
    names = [part.name for part in parts_of(dag_id, dag_run_id)]
    around = [name for name in names if name == whole or task_id.startswith(f"{name}.")]
    return max(around, key=len, default="")


def steps_of_task(dag_id: str, dag_run_id: str, task_id: str) -> list[str]:
    """The steps that a task says it has run, which may be called anything else than them."""
    wanted = select(XComModel.value).where(
        XComModel.dag_id == dag_id,
        XComModel.run_id == dag_run_id,
        XComModel.task_id == task_id,
        XComModel.key == POINTER_KEY,
    )
    with create_session(scoped=False) as session:
        value = session.scalar(wanted.limit(1))
    attempts = value.get("attempts", {}) if isinstance(value, dict) else {}
    return [pathspec.split("/")[2] for pathspec in attempts if pathspec.count("/") == 3]


def checked(ledger: Ledger, part: RunPart, dag_id: str, dag_run_id: str) -> RunPart:
    """Return the part if its run says the same: what a task tells must not lead to another DAG's runs.

    Raises:
        MetaflowNotFound: It does not, or has not begun.
    """
    airflow = ledger.run(part.flow, part.run).airflow
    if (airflow.get("dag_id"), airflow.get("dag_run_id")) == (dag_id, dag_run_id):
        return part
    raise MetaflowNotFound(
        f"{part.flow}/{part.run} is not a run of this DAG run.", where={"dag": dag_id, "run": dag_run_id}
    )
