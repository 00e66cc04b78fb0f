"""A deployed flow and a run of it that failed, to be resumed through the API server of a live Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished, manifest_from
from tests.services.airflow import LiveAirflow
from tests.services.airflow_api import TaskInstance

DAG_FILE = """
from airflow_mlflow_provider.dag import load_flow

dag = load_flow("{name}.json")
"""
FLOW = Path(__file__).parent / "three_failures.py"


class FailedRun(NamedTuple):
    """A run that failed, in an Airflow whose API server knows its store."""

    airflow: LiveAirflow
    manifest: FlowManifest
    dag_run_id: str

    @property
    def run(self) -> str:
        """Run id."""
        return airflow_run_id(self.manifest.dag_id, self.dag_run_id)

    def resume(self, **question: Any) -> dict[str, Any]:
        """Resume it by the route; the answer."""
        body = {"origin": self.run, **question}
        answer = self.airflow.api.client.post(f"/flows/resume/{self.manifest.dag_id}", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @property
    def records(self) -> Finished:
        """What the store holds of it."""
        return Finished.of_dag_run(self.manifest, self.manifest.dag_id, self.dag_run_id)

    def finished(self, dag_run_id: str) -> Finished:
        """Wait for a run of the DAG to succeed; what the store holds of it."""
        self.airflow.api.wait_for_run(self.manifest.dag_id, dag_run_id)
        return Finished.of_dag_run(self.manifest, self.manifest.dag_id, dag_run_id)

    def links(self, dag_run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """The links on the page of a task instance, by name."""
        return self.airflow.api.links(self.manifest.dag_id, dag_run_id, task_id, map_index)

    def instances(self, dag_run_id: str) -> dict[str, TaskInstance]:
        """The task instances of a run by label."""
        found = self.airflow.api.task_instances(self.manifest.dag_id, dag_run_id)
        return {one.label: one for one in found}


def deploy(airflow: LiveAirflow, dag_id: str, **changes: Any) -> FlowManifest:
    """Deploy the flow under a DAG id, into the store that the API server is configured with."""
    manifest = msgspec.structs.replace(manifest_from(FLOW, airflow.store), dag_id=dag_id, **changes)
    (airflow.dags_folder / f"{dag_id}.json").write_bytes(encode(manifest))
    Deployments(open_store(airflow.store)).put(manifest, f"{dag_id}.py")
    airflow.add_dag(dag_id, DAG_FILE.format(name=dag_id))
    return manifest


def failed_run(airflow: LiveAirflow, dag_id: str, file: Path, **conf: Any) -> FailedRun:
    """A run of the flow under a DAG id that has failed in three places; it would not fail again."""
    manifest = deploy(airflow, dag_id)
    file.touch()
    values = {"file": str(file), **conf}
    dag_run_id = airflow.api.trigger_and_wait(dag_id, values, expected="failed")
    file.unlink()
    return FailedRun(airflow, manifest, dag_run_id)
