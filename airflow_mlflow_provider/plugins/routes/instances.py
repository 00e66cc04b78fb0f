"""A task instance of Airflow: the tasks that it stands for, what they started from and ran in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from airflow_mlflow_provider.plugins.access import READS_DATA, READS_TASKS, AskerDep
from airflow_mlflow_provider.plugins.models.instances import Circumstances, InputPage, InstanceView
from airflow_mlflow_provider.plugins.parameters import Attempt, Cursor, Limit, StepName, TaskId
from airflow_mlflow_provider.plugins.reading.circumstances import circumstances
from airflow_mlflow_provider.plugins.reading.inputs import input_page
from airflow_mlflow_provider.plugins.reading.instances import instance_view
from airflow_mlflow_provider.plugins.reading.places import Places
from airflow_mlflow_provider.plugins.routes.runs import RunDep
from airflow_mlflow_provider.plugins.routes.tasks import TasksDep

router = APIRouter(prefix="/api/dags/{dag_id}/runs/{run_id}", tags=["Task instances"])

AirflowTaskId = Annotated[str, Path(max_length=250, description="Airflow's id of the task.")]
MapIndex = Annotated[
    int, Path(ge=-1, le=2**31, description="Index of the mapped instance, -1 for one that is not mapped.")
]


def task_places(run: RunDep, asker: AskerDep) -> Places:
    """Finds tasks in Airflow, for the user who asks."""
    return Places(run, asker)


PlacesDep = Annotated[Places, Depends(task_places)]


@router.get("/instances/{task_id}/{map_index}", dependencies=[READS_TASKS])
def get_instance(run: RunDep, task_id: AirflowTaskId, map_index: MapIndex) -> InstanceView:
    """The tasks of the store that a task instance stands for."""
    return instance_view(run, task_id, map_index)


@router.get("/steps/{step}/tasks/{task}/inputs", dependencies=[READS_DATA])
def list_inputs(
    run: RunDep,
    tasks: TasksDep,
    places: PlacesDep,
    step: StepName,
    task: TaskId,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> InputPage:
    """The artifacts that a task started from, those first that its code read, and which task made each."""
    return input_page(run, step, task, tasks.record(task), places, cursor, limit)


@router.get("/steps/{step}/tasks/{task}/attempts/{attempt}/circumstances", dependencies=[READS_TASKS])
def get_circumstances(
    run: RunDep, tasks: TasksDep, places: PlacesDep, task: TaskId, attempt: Attempt
) -> Circumstances:
    """What an attempt ran in, what the cache did for it, and the command that runs it again on one's own machine."""
    key = tasks.key(task, attempt)
    return circumstances(run, key, run.ledger.done(key), places)
