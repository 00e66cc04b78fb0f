"""A live Airflow with a run of a flow that failed, for all tests of the views; shared by the workers of a test run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.services.airflow import PASSWORDS, LiveAirflow

BROKEN = '''
from airflow_mlflow_provider import FlowSpec, Parameter, card, step


class BrokenFlow(FlowSpec):
    """Breaks in its **second** split."""

    limit = Parameter("limit", default=2)

    @card
    @step
    def start(self):
        """Makes the items."""
        print("three items")
        self.items = [1, 2, 3]
        self.remark = "<img src=x onerror=document.title='stolen'>"
        self.next(self.body, foreach="items")

    @step
    def body(self):
        if self.input == self.limit:
            raise ValueError("<b>two</b>")
        self.value = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [one.value for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    BrokenFlow()
'''


class FailedRun(NamedTuple):
    """A run of the flow above that failed in its second split, in the shared Airflow.

    Attributes:
        file: The flow's file, in a folder of its own for each worker.
        clients: A client for each user; ``None`` is nobody.
    """

    airflow: LiveAirflow
    dag_run_id: str
    file: Path
    environment: dict[str, str]
    clients: dict[str | None, httpx.Client]

    @property
    def path(self) -> str:
        """Beginning of the addresses of the run's data."""
        return f"api/dags/BrokenFlow/runs/{self.dag_run_id}"

    @property
    def page(self) -> str:
        """Address of the run's tab in Airflow."""
        return f"{self.airflow.base_url}/dags/BrokenFlow/runs/{self.dag_run_id}/plugin/flow"

    def ask(self, user: str | None, path: str, method: str = "GET", **more: object) -> httpx.Response:
        """What a route answers to a user, or to nobody."""
        return self.clients[user].request(method, f"{self.airflow.base_url}/flows/{path}", **more)  # type: ignore[arg-type]

    def flow(self, *arguments: str, expected: int = 0, file: Path | None = None) -> None:
        """Run ``python flow.py airflow …``."""
        ended = subprocess.run(
            [sys.executable, str(file or self.file), "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert ended.returncode == expected, ended.stdout + ended.stderr


@pytest.fixture(scope="session")
def failed_run(
    live_airflow_sqlite: LiveAirflow, services_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FailedRun]:
    airflow = live_airflow_sqlite
    clients: dict[str | None, httpx.Client] = {name: airflow.login(name).client for name in PASSWORDS}
    clients[None] = httpx.Client(timeout=90)
    file = tmp_path_factory.mktemp("flow") / "broken_flow.py"
    file.write_text(BROKEN)
    run = FailedRun(airflow, "", file, _environment(airflow), clients)
    ran = services_directory / "broken-flow-ran"
    with ran.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ran.exists():
            run.flow("create")
            run.flow("trigger", "--wait", expected=1)
            (made,) = airflow.api.request("GET", "/dags/BrokenFlow/dagRuns")["dag_runs"]
            ran.write_text(made["dag_run_id"])
    yield run._replace(dag_run_id=ran.read_text())
    for client in clients.values():
        client.close()


def _environment(airflow: LiveAirflow) -> dict[str, str]:
    return {
        **os.environ,
        "METAFLOW_USER": "plugin",
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": airflow.store,
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true",
        "AIRFLOW__MLFLOW_PROVIDER__API_URL": airflow.base_url,
        "AIRFLOW__MLFLOW_PROVIDER__API_USER": "admin",
        "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": PASSWORDS["admin"],
        "AIRFLOW__MLFLOW_PROVIDER__DAGS_FOLDER": str(airflow.dags_folder),
    }
