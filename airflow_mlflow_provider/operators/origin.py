"""Where a task that was taken over really ran: the XCom ``origin`` of its instance, which the link *Origin run* reads."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import conf

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

ORIGIN_KEY = "origin"


def origin_of(ledger: Ledger, key: AttemptKey) -> dict[str, Any]:
    """The pathspec of an attempt and, if it ran in Airflow, its DAG run and the path of that in the UI."""
    airflow = ledger.run(key.flow, key.run).airflow
    found: dict[str, Any] = {"pathspec": key.pathspec}
    if airflow:
        dag_id, dag_run_id = str(airflow["dag_id"]), str(airflow["dag_run_id"])
        found |= {"dag_id": dag_id, "dag_run_id": dag_run_id, "path": page_path(dag_id, dag_run_id)}
    return found


def page_path(dag_id: str, dag_run_id: str, task_id: str | None = None, map_index: int = -1) -> str:
    """Path of a DAG run, or of one of its task instances, in the Airflow UI."""
    base = urlsplit(conf.get("api", "base_url", fallback=None) or "").path.rstrip("/")
    path = f"{base}/dags/{quote(dag_id, safe='')}/runs/{quote(dag_run_id, safe='')}"
    if task_id is not None:
        path += f"/tasks/{quote(task_id, safe='')}"
        path += f"/mapped/{map_index}" if map_index >= 0 else ""
    return path
