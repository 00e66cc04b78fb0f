"""Every shape, whole and with failures put in, does on a real Airflow what the reference model says.

All runs are started at once, as Airflow works on several while one waits; each test then waits for one of them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from airflow_mlflow_provider.plan.manifest import FlowManifest
from tests.dag.deployed import Finished
from tests.dag.test_live import put
from tests.model.deploying import dag_name, left_by, shape_manifest
from tests.model.failures import each_failure
from tests.model.reference import Expected, interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Fault
from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(3600)]

_RUN_SECONDS = 3000.0
_TRIGGER_SECONDS = 300.0


@dataclass(frozen=True)
class _Case:
    shape: str
    fault: Fault | None = None

    @property
    def flow(self) -> Block:
        return SHAPES[self.shape]

    @property
    def name(self) -> str:
        if self.fault is None:
            return f"{dag_name(self.shape)}Live"
        return f"{dag_name(self.shape)}Live_{self.fault.step}_{self.fault.kind}"


def _cases() -> Iterator[_Case]:
    """Each shape whole, and with a failure in the last task of each of its steps, kinds and policies in turns."""
    for shape, flow in SHAPES.items():
        yield _Case(shape)
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
    wanted = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("model")
    manifests: dict[str, FlowManifest] = {}
    for name in wanted:
        case = CASES[name]
        found = shape_manifest(case.flow, case.fault, dag_name(case.shape), folder / name)
        manifests[name] = put(live_airflow_postgres, found, name)
    _no_import_errors(live_airflow_postgres)
    return {name: (manifest, _triggered(live_airflow_postgres, name)) for name, manifest in manifests.items()}


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
    _agrees(left_by(finished, case.flow).without(expected.open), expected.without(expected.open))


def _agrees(found: Expected, expected: Expected) -> None:
    """A run that succeeded has done all of it. One that failed may have gone less far than on a laptop.

    The index paths of an inner foreach are gathered by one task, which a failure under any of them keeps from running.
    """
    assert found.status == expected.status
    if found.status == "succeeded":
        assert found == expected
    for key, task in found.tasks.items():
        assert (key, task) == (key, expected.tasks.get(key))
    failed = {key for key, task in expected.tasks.items() if task.outcome == "failed"}
    assert failed <= set(found.tasks)


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
