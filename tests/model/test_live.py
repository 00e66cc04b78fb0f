"""Every shape, whole and with failures put in, does on a real Airflow what the reference model says.

All runs are started at once, as Airflow works on several while one waits; each test then waits for one of them. `make test-full` runs the shapes
and the failures that are told apart by name in `failures.py`; with `MODEL_LIVE=all`, also a failure in each step of each shape, which
takes half an hour of two cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from tests.dag.deployed import Finished
from tests.dag.test_live import DAG_FILE
from tests.model.deploying import dag_name, left_by, shape_manifest
from tests.model.failures import FAILURES, NESTED_FAILURES, each_failure, policy_of
from tests.model.reference import interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Fault
from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(3600)]

_RUN_SECONDS = 3000.0
_TRIGGER_SECONDS = 300.0
# Many tasks share the machine.
_LIMIT_SECONDS = 20


@dataclass(frozen=True)
class _Case:
    shape: str
    fault: Fault | None = None

    @property
    def flow(self) -> Block:
        return SHAPES[self.shape]

    @property
    def name(self) -> str:
        name, fault = f"{dag_name(self.shape)}Live", self.fault
        return f"{name}_{fault.step}_{fault.task}_{fault.kind}_{policy_of(fault)}" if fault else name


def _cases() -> Iterator[_Case]:
    """Each shape whole, and with a failure in the last task of each of its steps, kinds and policies in turns."""
    for shape in SHAPES:
        yield _Case(shape)
    for shape, fault in (*FAILURES, *NESTED_FAILURES):
        yield _Case(shape, fault)
    if os.environ.get("MODEL_LIVE") == "all":
        for shape, flow in SHAPES.items():
            for fault in each_failure(flow):
                yield _Case(shape, fault)


CASES = {case.name: case for case in _cases()}
Started = Mapping[str, tuple[FlowManifest, str]]


@pytest.fixture(scope="module")
def started(
    live_airflow_postgres: LiveAirflow,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Started:
    """The runs of all cases that were asked for, under way."""
    airflow = live_airflow_postgres
    wanted = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("model")
    manifests = {name: _manifest(CASES[name], folder / name) for name in wanted}
    for name, manifest in manifests.items():
        (airflow.dags_folder / f"{name}.json").write_bytes(encode(manifest))
    airflow.add_dags({name: DAG_FILE.format(name=name) for name in wanted}, timeout=_TRIGGER_SECONDS)
    _no_import_errors(airflow)
    return {name: (manifest, _triggered(airflow, name)) for name, manifest in manifests.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_run_on_airflow_does_what_the_model_says(
    name: str, started: Started, live_airflow_postgres: LiveAirflow
) -> None:
    case, (manifest, run_id) = CASES[name], started[name]
    expected = interpret(case.flow, case.fault)
    ends = "success" if expected.status == "succeeded" else "failed"
    live_airflow_postgres.api.wait_for_run(name, run_id, timeout=_RUN_SECONDS, expected=ends)
    finished = Finished.of_dag_run(manifest, name, run_id)
    # What has failed is sealed by a callback, a moment after Airflow says so.
    wait_until(lambda: finished.status is not None, 120, f"{name} is sealed")
    assert left_by(finished, case.flow).without(expected.open) == expected.without(expected.open)


def _manifest(case: _Case, folder: Path) -> FlowManifest:
    manifest = shape_manifest(
        case.flow, case.fault, dag_name(case.shape), folder, limit_seconds=_LIMIT_SECONDS
    )
    return msgspec.structs.replace(manifest, dag_id=case.name)


def _triggered(airflow: LiveAirflow, name: str) -> str:
    """Start a run, whose id this is; an API server that is busy with so many runs may have to be asked again."""
    run_id = f"model_{name}"
    body: dict[str, object] = {"logical_date": None, "dag_run_id": run_id, "conf": {}}

    def there() -> bool:
        answer = airflow.api.client.post(f"/api/v2/dags/{name}/dagRuns", json=body)
        return answer.is_success or answer.status_code == httpx.codes.CONFLICT

    wait_until(there, _TRIGGER_SECONDS, f"a run of {name}", interval=1.0)
    return run_id


def _no_import_errors(airflow: LiveAirflow) -> None:
    """What `airflow dags list-import-errors` says: nothing of these."""
    command = [sys.executable, "-m", "airflow", "dags", "list-import-errors", "--output", "plain"]
    told = subprocess.run(
        command, env=airflow.environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert "No data found" in told.stdout, told.stdout + told.stderr
