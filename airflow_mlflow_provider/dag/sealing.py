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
    from airflow_mlflow_provider.store.ending import failed_run_end
    from airflow_mlflow_provider.store.ledger import Ledger
    from airflow_mlflow_provider.store.location import open_store

    provide_credentials(manifest)
    ledger = Ledger(open_store(manifest.store))
    flow = manifest.flow_name
    run = airflow_run_id(manifest.dag_id, context["run_id"])
    end = ledger.run_end(flow, run)
    if end is not None and end.status == "terminated":
        return
    reason = str(context.get("reason") or "Airflow ended the DAG run")
    ledger.end_run(flow, run, failed_run_end(ledger, flow, run, reason))
