"""Which run of a flow a task dealt with, and where that is in Airflow: XComs that the links of its instance read.

============  ======================================================================
key           meaning
============  ======================================================================
``origin``    the run, or task, that something was taken over from
``flow_run``  the run that was started, resumed or tagged; in a DAG that is no
              deployed flow, the run of a flow that is the DAG run or part of it,
              and as ``part`` which part: id of the task group, or of the task
============  ======================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import conf

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

ORIGIN_KEY = "origin"
FLOW_RUN_KEY = "flow_run"


def origin_of(ledger: Ledger, key: AttemptKey) -> dict[str, Any]:
    """The pathspec of an attempt and, if it ran in Airflow, its DAG run and the path of that in the UI."""
    return run_place(key.pathspec, ledger.run(key.flow, key.run).airflow)


def run_place(pathspec: str, airflow: Mapping[str, Any]) -> dict[str, Any]:
    """A pathspec and, if its run is one of Airflow's, the DAG run and the path of that in the UI.

    Args:
        pathspec: Of the run or of something in it.
        airflow: ``dag_id`` and ``dag_run_id``; empty for a run outside of Airflow.
    """
    if not airflow:
        return {"pathspec": pathspec}
    dag_id, dag_run_id = str(airflow["dag_id"]), str(airflow["dag_run_id"])
    path = page_path(dag_id, dag_run_id)
    return {"pathspec": pathspec, "dag_id": dag_id, "dag_run_id": dag_run_id, "path": path}


def page_path(dag_id: str, dag_run_id: str, task_id: str | None = None, map_index: int = -1) -> str:
    """Path of a DAG run, or of one of its task instances, in the Airflow UI."""
    path = f"{base_path()}/dags/{quote(dag_id, safe='')}/runs/{quote(dag_run_id, safe='')}"
    if task_id is not None:
        path += f"/tasks/{quote(task_id, safe='')}"
        path += f"/mapped/{map_index}" if map_index >= 0 else ""
    return path


def base_path() -> str:
    """What the paths of the Airflow UI begin with; empty at the root of a host."""
    return urlsplit(conf.get("api", "base_url", fallback=None) or "").path.rstrip("/")
