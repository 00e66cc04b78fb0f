"""The ways to run a flow, each by the command line that a user would type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.parity.flows_under_test import FlowUnderTest
from tests.services.airflow import PASSWORDS, LiveAirflow

COMMAND_SECONDS = 600


def run_locally(flow: FlowUnderTest, store: str, folder: Path) -> str:
    """Run a flow here; the run's id.

    Args:
        flow: The flow.
        store: URL of the store.
        folder: For the file with the run's id.

    Raises:
        AssertionError: The run failed; the message holds what it printed.
    """
    run_id_file = folder / "run_id"
    command_line(flow, store, "run", "--run-id-file", str(run_id_file), *flow.options)
    return run_id_file.read_text()


def deploy_on_airflow(flow: FlowUnderTest, store: str, airflow: LiveAirflow, name: str, compute: str) -> None:
    """Deploy a flow under a name of its own, and wait until Airflow has parsed it.

    Args:
        flow: The flow.
        store: URL of the store.
        airflow: Where to.
        name: Name of the deployment.
        compute: ``worker`` or ``kubernetes``.

    Raises:
        AssertionError: The command failed; the message holds what it printed.
    """
    create = ("airflow", "--name", name, "create", "--compute", compute)
    command_line(flow, store, *create, environment=_settings(airflow))


def run_on_airflow(flow: FlowUnderTest, store: str, folder: Path, airflow: LiveAirflow, name: str) -> str:
    """Run a deployed flow and wait; the run's id.

    Args:
        flow: The flow.
        store: URL of the store.
        folder: For the file with the run's id.
        airflow: Where.
        name: Name of the deployment.

    Raises:
        AssertionError: A command or the run failed; the message holds the ends of the logs of the tasks that did.
    """
    run_id_file = folder / "run_id"
    trigger = ("airflow", "--name", name, "trigger", "--run-id-file", str(run_id_file), *flow.options)
    command_line(flow, store, *trigger, environment=_settings(airflow))
    newest = {"order_by": "-run_after", "limit": 1}
    (run,) = airflow.api.request("GET", f"/dags/{name}/dagRuns", params=newest)["dag_runs"]
    airflow.api.wait_for_run(name, run["dag_run_id"], timeout=COMMAND_SECONDS)
    return run_id_file.read_text()


def _settings(airflow: LiveAirflow) -> dict[str, str]:
    settings = {
        "API_URL": airflow.base_url,
        "API_USER": "admin",
        "API_PASSWORD": PASSWORDS["admin"],
        "DAGS_FOLDER": str(airflow.dags_folder),
        "DATASTORE_SHARED": "true",
        "KUBERNETES_IMAGE": "step:1",
    }
    return {f"AIRFLOW__MLFLOW_PROVIDER__{key}": value for key, value in settings.items()}


def command_line(
    flow: FlowUnderTest, store: str, *arguments: str, environment: dict[str, str] | None = None
) -> str:
    """Run `python FLOW.py --datastore-root STORE …`; what it printed.

    Raises:
        AssertionError: It failed; the message holds what it printed.
    """
    done = subprocess.run(
        [sys.executable, str(flow.file), "--datastore-root", store, *arguments],
        env={**os.environ, "METAFLOW_USER": "tester", **(environment or {})},
        cwd=flow.file.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, (
        f"{flow.file.name} {' '.join(arguments)} gave {done.returncode}:\n{done.stdout}"
    )
    return done.stdout
