"""A run as a whole, and how far it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from airflow_mlflow_provider.plugins.access import READS_RUN, AskerDep
from airflow_mlflow_provider.plugins.models.runs import RunProgress, RunView
from airflow_mlflow_provider.plugins.parameters import DagId, DagRunId, Part
from airflow_mlflow_provider.plugins.reading.run import RunReader

router = APIRouter(prefix="/api/dags/{dag_id}/runs/{run_id}", dependencies=[READS_RUN], tags=["Runs"])


def run_reader(dag_id: DagId, run_id: DagRunId, part: Part = "") -> RunReader:
    """Reads the run that the address names. A function, as the FastAPI of Airflow 3.1 does not find what a class's annotations name."""
    return RunReader(dag_id, run_id, part)


RunDep = Annotated[RunReader, Depends(run_reader)]


@router.get("")
def get_run(run: RunDep, asker: AskerDep) -> RunView:
    """What the run was started with, and how it ended."""
    return run.view(asker)


@router.get("/progress")
def get_progress(run: RunDep) -> RunProgress:
    """How the run's steps stand; to be asked again while it runs."""
    return run.progress()
