"""Sealing a failed run: Airflow calls back from the DAG processor, with no code of the user's, when a DAG run has failed.

A run that succeeds is sealed by its end step. A run that fails may have no task left that could do it: a task was killed,
the scheduler was away, ``dagrun_timeout`` was reached.
"""

from __future__ import annotations

from airflow.sdk import Context

from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest


def seal_failed_run(manifest: FlowManifest, context: Context) -> None:
    """Write the run's verdict, unless somebody else has ended it.

    Args:
        manifest: The flow.
        context: What Airflow's callback is given.
    """
    from airflow_mlflow_provider.operators.credentials import provide_credentials
    from airflow_mlflow_provider.operators.sealing import seal_failed
    from airflow_mlflow_provider.store.ledger import Ledger
    from airflow_mlflow_provider.store.location import open_store

    provide_credentials(manifest)
    run = airflow_run_id(manifest.dag_id, context["run_id"])
    reason = str(context.get("reason") or "Airflow ended the DAG run")
    seal_failed(Ledger(open_store(manifest.store)), manifest.flow_name, run, reason)
