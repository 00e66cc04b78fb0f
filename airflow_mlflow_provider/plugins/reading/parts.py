"""Runs of flows that are parts of a DAG run, in a DAG of somebody else's: task groups and single steps."""

from __future__ import annotations

from typing import NamedTuple

from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.operators.origin import FLOW_RUN_KEY
from airflow_mlflow_provider.operators.pointer import POINTER_KEY
from airflow_mlflow_provider.plugins.reading.pushed import pushed
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
    found: dict[str, RunPart] = {}
    for value in pushed(FLOW_RUN_KEY, dag_id, dag_run_id, most=_MOST_PARTS):
        # Runs of other DAGs that this one has started have no part.
        if isinstance(value.get("part"), str):
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
    found = pushed(POINTER_KEY, dag_id, dag_run_id, task_id=task_id)
    return [path.split("/")[2] for one in found for path in one.get("attempts", {}) if path.count("/") == 3]


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
