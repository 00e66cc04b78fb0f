"""The logs of an attempt, as the task runner captured them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from airflow_mlflow_provider.plugins.access import READS_LOGS
from airflow_mlflow_provider.plugins.models.logs import LogPage
from airflow_mlflow_provider.plugins.parameters import Attempt, TaskId
from airflow_mlflow_provider.plugins.reading.logs import log_page
from airflow_mlflow_provider.plugins.routes.runs import RunDep
from airflow_mlflow_provider.plugins.routes.tasks import TasksDep

router = APIRouter(
    prefix="/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}",
    dependencies=[READS_LOGS],
    tags=["Logs"],
)


@router.get("/logs/{stream}")
def get_log(
    run: RunDep,
    tasks: TasksDep,
    task: TaskId,
    attempt: Attempt,
    stream: Literal["stdout", "stderr"],
    start: Annotated[int | None, Query(ge=0, description="Byte to begin at: `next` of a page.")] = None,
    end: Annotated[int | None, Query(ge=0, description="Byte to end at: `begin` of a page.")] = None,
) -> LogPage:
    """Some 100 kB of the log: its end, or what is behind or before another page."""
    return log_page(run.ledger, tasks.key(task, attempt), stream, start, end)
