"""The tasks of a step of a run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from airflow_mlflow_provider.plugins.access import READS_TASKS
from airflow_mlflow_provider.plugins.models.tasks import TaskPage, TaskView
from airflow_mlflow_provider.plugins.parameters import Cursor, Limit, StepName, TaskId
from airflow_mlflow_provider.plugins.reading.tasks import TaskReader
from airflow_mlflow_provider.plugins.routes.runs import RunDep

router = APIRouter(
    prefix="/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks", dependencies=[READS_TASKS], tags=["Tasks"]
)


def task_reader(run: RunDep, step: StepName) -> TaskReader:
    """Reads the tasks of the step that the address names."""
    return TaskReader(run, step)


TasksDep = Annotated[TaskReader, Depends(task_reader)]


@router.get("")
def list_tasks(
    tasks: TasksDep,
    under: Annotated[str, Query(pattern=r"^[a-z0-9-]*$", max_length=200)] = "",
    value: Annotated[str, Query(max_length=100)] = "",
    state: Annotated[list[str], Query(max_length=5)] = [],  # noqa: B006 - FastAPI copies it
    cursor: Cursor = "",
    limit: Limit = 50,
) -> TaskPage:
    """Tasks of the step, those that failed first; of several levels of foreach, the splits of the next one."""
    return tasks.page(under=under, value=value, states=state, cursor=cursor, limit=limit)


@router.get("/{task}")
def get_task(tasks: TasksDep, task: TaskId) -> TaskView:
    """A task with its attempts and where its inputs come from."""
    return tasks.view(task)
