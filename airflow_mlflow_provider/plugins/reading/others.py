"""Another run of the same flow, if the user may see it."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plugins.access import Asker
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.store.records import RunRecord


def other_run(run: RunReader, name: str, asker: Asker, entity: DagAccessEntity) -> RunRecord:
    """The record of another run of the flow.

    Args:
        run: The run that is looked at.
        name: A run id, a pathspec ``Flow/run``, or the id of a DAG run of the same DAG.
        asker: Who asks.
        entity: What of the other run's DAG they must be allowed to read.

    Raises:
        MetaflowNotFound: There is none, or it is a run of a DAG that the user may not read.
    """
    named = name.removeprefix(f"{run.flow}/")
    for candidate in (named, airflow_run_id(run.dag_id, named)):
        try:
            record = run.ledger.run(run.flow, candidate)
        except MetaflowNotFound:
            continue
        dag_id = record.airflow.get("dag_id", run.dag_id)
        if dag_id == run.dag_id or asker.may("GET", dag_id, entity):
            return record
    raise MetaflowNotFound(
        f"There is no run {run.flow}/{named} that you may see.",
        fix="Name a run id, or a DAG run of this DAG.",
        where={"flow": run.flow, "run": named},
    )
