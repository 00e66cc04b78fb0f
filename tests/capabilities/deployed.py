"""The flows of this folder, deployed by ``Deployer`` as the kit deploys them, and their runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from airflow_mlflow_provider import Deployer
from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.runner import AirflowDeployedFlow, AirflowTriggeredRun
from tests.services.airflow import PASSWORDS, LiveAirflow

FLOWS = Path(__file__).parent / "flows"
RUN_SECONDS = 240.0
Compute = Literal["worker", "kubernetes"]


@dataclass(frozen=True)
class Deployments:
    """Where flows are deployed, and where their steps run.

    Attributes:
        airflow: The Airflow.
        store: URL of the store.
        compute: Where steps run.
    """

    airflow: LiveAirflow
    store: str
    compute: Compute

    def settings(self) -> dict[str, str]:
        """The configuration of a person who deploys there."""
        keys = {
            "API_URL": self.airflow.base_url,
            "API_USER": "admin",
            "API_PASSWORD": PASSWORDS["admin"],
            "DAGS_FOLDER": str(self.airflow.dags_folder),
            "DATASTORE_ROOT": self.store,
            "DATASTORE_SHARED": "true",
            "KUBERNETES_IMAGE": "step:1",
            "USER": "tester",
        }
        return {f"AIRFLOW__MLFLOW_PROVIDER__{key}": value for key, value in keys.items()}

    def deploy(
        self,
        flow: str | Path,
        *,
        create: dict[str, Any] | None = None,
        unnamed: bool = False,
        **top_level: Any,
    ) -> AirflowDeployedFlow:
        """Deploy a flow under a name of its own, and wait until Airflow has parsed it.

        Args:
            flow: Its file, a path or what it is below `flows`.
            create: Options of `create`.
            unnamed: Whether it goes by its own name, as a flow of a project must.
            top_level: Options before the command.
        """
        file = FLOWS / flow
        name = None if unnamed else f"Cap-{file.stem}-{self.compute}"
        deployer = Deployer(file, show_output=False, pylint=False, cwd=str(file.parent), **top_level)
        made: AirflowDeployedFlow = deployer.airflow(name=name).create(compute=self.compute, **(create or {}))
        return made

    def run(self, deployed: AirflowDeployedFlow, expected: str = "Succeeded", **parameters: Any) -> Run:
        """Start a run and wait for its end.

        Args:
            deployed: The deployment.
            expected: The status that the run must end with.
            parameters: Values of parameters.
        """
        return self.ended(deployed.trigger(**parameters), expected)

    def ended(self, triggered: AirflowTriggeredRun, expected: str = "Succeeded") -> Run:
        """Wait for the end of a run."""
        triggered.wait_for_completion(check_interval=0.3, timeout=RUN_SECONDS)
        report = self.airflow.api.report(triggered.dag_id, triggered.dag_run_id)
        assert triggered.status == expected, report
        assert triggered.run is not None, report
        return triggered.run


def data(run: Run, step: str) -> Any:
    """The artifacts of a step's one task."""
    task = run[step].task
    assert task is not None
    return task.data
