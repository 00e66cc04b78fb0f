"""Resuming through the API server, on a live Airflow: what is finished is there from the start, and only the rest runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished, manifest_from
from tests.services.airflow import LiveAirflow
from tests.services.airflow_api import TaskInstance

pytestmark = pytest.mark.live

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

    def instances(self, dag_run_id: str) -> dict[str, TaskInstance]:
        """The task instances of a run by label."""
        found = self.airflow.api.task_instances(self.manifest.dag_id, dag_run_id)
        return {one.label: one for one in found}


def failed_run(airflow: LiveAirflow, dag_id: str, file: Path, **conf: Any) -> FailedRun:
    """Deploy the flow under a DAG id, and have a run of it fail in three places."""
    manifest = msgspec.structs.replace(manifest_from(FLOW, airflow.store), dag_id=dag_id)
    (airflow.dags_folder / f"{dag_id}.json").write_bytes(encode(manifest))
    Deployments(open_store(airflow.store)).put(manifest, f"{dag_id}.py")
    airflow.add_dag(dag_id, DAG_FILE.format(name=dag_id))
    file.touch()
    values = {"file": str(file), **conf}
    dag_run_id = airflow.api.trigger_and_wait(dag_id, values, expected="failed")
    file.unlink()
    return FailedRun(airflow, manifest, dag_run_id)


def test_only_what_was_left_runs_and_the_rest_is_shown_as_success_with_a_note(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    failed = failed_run(live_airflow_sqlite, "resume_sqlite", tmp_path / "fails")
    answer = failed.resume()
    assert answer["taken_over"] == {"start": 1, "spread": 1, "body": 2, "polish": 2, "way": 1}
    assert answer["runs"] == {"body/0001": "failed", "left/0": "failed", "first/0": "failed"}
    live_airflow_sqlite.api.wait_for_run(failed.manifest.dag_id, answer["dag_run_id"])

    found = Finished.of_dag_run(failed.manifest, failed.manifest.dag_id, answer["dag_run_id"])
    assert found.artifact("end", "values") == [1, 11, 21]
    assert found.artifact("end", "chosen") == "first"
    instances = failed.instances(answer["dag_run_id"])
    assert {label: one.state for label, one in instances.items() if one.state != "success"} == {
        "second": "skipped"
    }
    # A task that runs has a process: what was taken over never had one.
    ran = {label for label, one in instances.items() if one.details["pid"] is not None}
    assert ran == {"body[1]", "polish[1]", "left", "first", "gather", "meet", "collect", "end"}
    note = f"Taken over from ThreeFailuresFlow/{failed.run}/body/0000. Nothing was run."
    assert instances["body[0]"].details["note"] == note
    assert instances["body[0]"].details["rendered_map_index"] == "items=0"
    assert instances["body[0]"].try_number == 1
    origin = live_airflow_sqlite.api.xcom(
        failed.manifest.dag_id, answer["dag_run_id"], "body", "origin", map_index=0
    )
    assert (
        origin["path"]
        == f"/dags/resume_sqlite/runs/{failed.dag_run_id.replace(':', '%3A').replace('+', '%2B')}/tasks/body/mapped/0"
    )
