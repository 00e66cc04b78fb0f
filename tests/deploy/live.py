"""Commands of the `airflow` group against a live Airflow."""

from __future__ import annotations

from collections.abc import Sequence

from tests.flow_runs import FlowFile, FlowRun
from tests.services.airflow import PASSWORDS, LiveAirflow


def deployed(flow: FlowFile, airflow: LiveAirflow, *arguments: str, top: Sequence[str] = ()) -> FlowRun:
    """Run a command of the `airflow` group of a flow, with the settings of a person who deploys into an Airflow."""
    settings = {
        "DATASTORE_SHARED": "true",
        "DAGS_FOLDER": str(airflow.dags_folder),
        "API_URL": airflow.base_url,
        "API_USER": "admin",
        "API_PASSWORD": PASSWORDS["admin"],
    }
    variables = {f"AIRFLOW__MLFLOW_PROVIDER__{key}": value for key, value in settings.items()}
    return flow.run(*arguments, command="airflow", top=top, environment=variables, seconds=300)
