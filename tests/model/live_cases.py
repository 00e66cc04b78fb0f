"""Cases of the model on a real Airflow: deployed and started all at once, as it works on several while one waits; then waited for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import httpx

from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from tests.dag.deployed import Finished
from tests.dag.test_live import DAG_FILE
from tests.model.deploying import dag_name, left_by
from tests.model.failures import policy_of
from tests.model.reference import interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Fault
from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until

_RUN_SECONDS = 3000.0
_TRIGGER_SECONDS = 300.0


@dataclass(frozen=True)
class Case:
    """A shape, and a failure in one of its tasks, if any.

    Attributes:
        shape: Name of the shape.
        fault: The failure.
        suffix: What tells its DAG from those of other suites.
        limit_seconds: What a step that is to run into its time limit may take; many tasks share the machine.
    """

    shape: str
    fault: Fault | None = None
    suffix: str = "Live"
    limit_seconds: int = 20

    @property
    def flow(self) -> Block:
        """The flow."""
        return SHAPES[self.shape]

    @property
    def flow_name(self) -> str:
        """Name of the flow."""
        return dag_name(self.shape)

    @property
    def name(self) -> str:
        """Id of its DAG."""
        name, fault = f"{self.flow_name}{self.suffix}", self.fault
        return f"{name}_{fault.step}_{fault.task}_{fault.kind}_{policy_of(fault)}" if fault else name


def put_and_start(airflow: LiveAirflow, manifests: Mapping[str, FlowManifest]) -> None:
    """Deploy flows, each under the id of its DAG, and start a run of each."""
    for name, manifest in manifests.items():
        (airflow.dags_folder / f"{name}.json").write_bytes(encode(manifest))
    airflow.add_dags({name: DAG_FILE.format(name=name) for name in manifests}, timeout=_TRIGGER_SECONDS)
    _no_import_errors(airflow, manifests)
    for name in manifests:
        _start(airflow, name)


def agrees(airflow: LiveAirflow, manifest: FlowManifest, case: Case) -> None:
    """Wait for the run of a case, and compare what it has left with what the model says."""
    name, expected = case.name, interpret(case.flow, case.fault)
    ends = "success" if expected.status == "succeeded" else "failed"
    airflow.api.wait_for_run(name, _run_id(name), timeout=_RUN_SECONDS, expected=ends)
    finished = Finished.of_dag_run(manifest, name, _run_id(name))
    # What has failed is sealed by a callback, a moment after Airflow says so.
    wait_until(lambda: finished.status is not None, 120, f"{name} is sealed")
    assert left_by(finished, case.flow).without(expected.open) == expected.without(expected.open)


def _run_id(name: str) -> str:
    return f"model_{name}"


def _start(airflow: LiveAirflow, name: str) -> None:
    """Start a run; an API server that is busy with so many may have to be asked again."""
    body: dict[str, object] = {"logical_date": None, "dag_run_id": _run_id(name), "conf": {}}

    def there() -> bool:
        answer = airflow.api.client.post(f"/api/v2/dags/{name}/dagRuns", json=body)
        return answer.is_success or answer.status_code == httpx.codes.CONFLICT

    wait_until(there, _TRIGGER_SECONDS, f"a run of {name}", interval=1.0)


def _no_import_errors(airflow: LiveAirflow, names: Collection[str]) -> None:
    """What `airflow dags list-import-errors` says has nothing of these; other tests have broken files on purpose."""
    command = [sys.executable, "-m", "airflow", "dags", "list-import-errors", "--output", "plain"]
    told = subprocess.run(
        command, env=airflow.environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert told.returncode == 0, told.stderr
    assert [name for name in names if f"{name}.py" in told.stdout] == [], told.stdout
