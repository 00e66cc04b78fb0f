"""The live Airflow as one side of a journey: each run is of a DAG of its own, resumed by the API server."""

from __future__ import annotations

import uuid

import msgspec

from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import manifest_from
from tests.flow_runs import FlowFile
from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until

_RUN_SECONDS = 240.0
_SEAL_SECONDS = 60.0


class InLiveAirflow:
    """Implements :class:`~tests.model.two_sides.AirflowSide`.

    Args:
        airflow: The Airflow, whose API server knows the store.
    """

    def __init__(self, airflow: LiveAirflow) -> None:
        self._airflow = airflow

    def start(self, file: FlowFile) -> str:
        """Run a flow; the run id."""
        manifest = self._deployed(file)
        return self._ended(manifest, self._airflow.api.trigger(manifest.dag_id))

    def resume(self, file: FlowFile, origin: str, rerun_changed: bool) -> str:
        """Resume a run of it; the run id."""
        manifest = self._deployed(file)
        body = {"origin": origin, "rerun_changed": rerun_changed}
        answer = self._airflow.api.client.post(f"/flows/resume/{manifest.dag_id}", json=body)
        assert answer.status_code == 201, answer.text
        return self._ended(manifest, answer.json()["dag_run_id"])

    def _deployed(self, file: FlowFile) -> FlowManifest:
        name = f"journey_{uuid.uuid4().hex[:12]}"
        manifest = msgspec.structs.replace(manifest_from(file.path, file.store), dag_id=name)
        (self._airflow.dags_folder / f"{name}.json").write_bytes(encode(manifest))
        Deployments(open_store(file.store)).put(manifest, f"{name}.py")
        source = f'from airflow_mlflow_provider.dag import load_flow\n\ndag = load_flow("{name}.json")\n'
        self._airflow.add_dag(name, source)
        return manifest

    def _ended(self, manifest: FlowManifest, dag_run_id: str) -> str:
        run = airflow_run_id(manifest.dag_id, dag_run_id)
        api, ledger = self._airflow.api, Ledger(open_store(manifest.store))

        def state() -> str | None:
            found = api.run(manifest.dag_id, dag_run_id)["state"]
            return found if found in ("success", "failed") else None

        wait_until(state, _RUN_SECONDS, lambda: f"a run to end\n{api.report(manifest.dag_id, dag_run_id)}")
        # What has failed is sealed by a callback, a moment after Airflow says so.
        wait_until(
            lambda: ledger.run_end(manifest.flow_name, run) is not None, _SEAL_SECONDS, f"{run} is sealed"
        )
        return run
