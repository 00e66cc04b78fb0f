"""The artifacts of a task."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from airflow_mlflow_provider.plugins.access import READS_DATA
from airflow_mlflow_provider.plugins.models.artifacts import ArtifactPage
from airflow_mlflow_provider.plugins.parameters import Cursor, Limit, TaskId
from airflow_mlflow_provider.plugins.reading.artifacts import artifact_page
from airflow_mlflow_provider.plugins.routes.runs import RunDep
from airflow_mlflow_provider.plugins.routes.tasks import TasksDep

router = APIRouter(
    prefix="/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}",
    dependencies=[READS_DATA],
    tags=["Artifacts"],
)


@router.get("/artifacts")
def list_artifacts(
    run: RunDep,
    tasks: TasksDep,
    task: TaskId,
    name: Annotated[str, Query(max_length=100)] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> ArtifactPage:
    """Type, size and preview of the artifacts of the task's newest attempt; no artifact is read."""
    return artifact_page(run, tasks.record(task), name, cursor, limit)
