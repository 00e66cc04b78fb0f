"""The code of a run, and how it differs from that of another run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from airflow_mlflow_provider.plugins.access import READS_CODE, AskerDep
from airflow_mlflow_provider.plugins.models.code import CodeText, CodeView
from airflow_mlflow_provider.plugins.reading.code import CodeReader
from airflow_mlflow_provider.plugins.routes.runs import RunDep

router = APIRouter(prefix="/api/dags/{dag_id}/runs/{run_id}/code", dependencies=[READS_CODE], tags=["Code"])


def code_reader(
    run: RunDep,
    asker: AskerDep,
    other: Annotated[
        str, Query(max_length=250, description="Another run of the flow: its id, or that of a DAG run.")
    ] = "",
) -> CodeReader:
    """Reads the code of the run beside that of the other."""
    return CodeReader(run, other, asker)


CodeDep = Annotated[CodeReader, Depends(code_reader)]


@router.get("")
def list_code(code: CodeDep) -> CodeView:
    """The files of the run's code, and with `other` how they differ from those of another run."""
    return code.view()


@router.get("/file")
def get_code(code: CodeDep, path: Annotated[str, Query(max_length=1000)]) -> CodeText:
    """A file of the run's code, and with `other` the same file of another run."""
    return code.text(path)
