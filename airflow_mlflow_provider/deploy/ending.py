"""Ending what was deployed: a run in Airflow, or the deployment itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from airflow_mlflow_provider.deploy.destination import deployment_files
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments, check_token
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunEnd


def terminate_run(rest: AirflowRest, ledger: Ledger, flow: str, dag_id: str, dag_run_id: str, by: str) -> str:
    """Make Airflow stop a run's tasks and count it as failed, and write that verdict into the store.

    Args:
        rest: The Airflow.
        ledger: The records of runs.
        flow: Name of the flow.
        dag_id: Its DAG.
        dag_run_id: The run's DAG run.
        by: Who ends it.

    Returns:
        The run id.

    Raises:
        AirflowApiError: Airflow refused.
    """
    rest.set_run_state(dag_id, dag_run_id, "failed")
    run = airflow_run_id(dag_id, dag_run_id)
    # A run whose first task has not started has no record to seal.
    with suppress(MetaflowNotFound):
        ledger.end_run(flow, run, RunEnd("terminated", time.time(), f"ended by {by}"))
    return run


def delete_deployment(
    record: DeploymentRecord,
    deployments: Deployments,
    rest: AirflowRest | None,
    user: str,
    authorize: str | None,
) -> Iterator[str]:
    """Remove the DAG file, the manifest, the DAG and, last, the record of the deployment; runs stay in the store.

    Args:
        record: The deployment.
        deployments: Where its record lies.
        rest: The Airflow that has the DAG, if it can be asked.
        user: Who deletes.
        authorize: Token of a deployment that somebody else made.

    Yields:
        What has been removed, as it is removed: paths and URLs of files, then ``the DAG <id>``.

    Raises:
        IncorrectProductionToken: Somebody else deployed it and ``authorize`` is not its token.
        AirflowApiError: Airflow refused to delete the DAG.
    """
    check_token(record, user, authorize)
    yield from deployment_files(record.target).delete()
    if rest is not None and rest.delete_dag(record.dag_id):
        yield f"the DAG {record.dag_id}"
    deployments.delete(record.dag_id)
