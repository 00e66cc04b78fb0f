"""A run as a whole, and how far it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from airflow_mlflow_provider.plugins.access import READS_RUN, AskerDep
from airflow_mlflow_provider.plugins.models.runs import RunProgress, RunView
from airflow_mlflow_provider.plugins.reading.run import RunReader

router = APIRouter(prefix="/api/dags/{dag_id}/runs/{run_id}", dependencies=[READS_RUN], tags=["Runs"])

RunDep = Annotated[RunReader, Depends(RunReader)]


@router.get("")
def get_run(run: RunDep, asker: AskerDep) -> RunView:
    """What the run was started with, and how it ended."""
    return run.view(asker)


@router.get("/progress")
def get_progress(run: RunDep) -> RunProgress:
    """How the run's steps stand; to be asked again while it runs."""
    return run.progress()
