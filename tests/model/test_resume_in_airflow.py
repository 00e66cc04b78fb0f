"""A run that failed on this machine, resumed by the API server of a live Airflow, ends as if nothing had failed, for every kind of shape.

What it takes over has no process in Airflow, unless it lies below a split that runs again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import encode
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import manifest_from
from tests.flow_runs import FlowFile, FlowRun
from tests.model.failures import fault
from tests.model.flow_text import flow_text
from tests.model.observed import observed, runs_of
from tests.model.reference import interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Fault
from tests.services.airflow import LiveAirflow

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1200)]

FAILED = (
    ("nested_branches", fault("upper", "0", "exception", "none")),
    ("nested_foreach", fault("three", "0001-0001-0000", "exception", "none")),
    ("foreach_in_switch_in_foreach", fault("body", "0001-0001", "exception", "none")),
    ("switch_in_foreach", fault("choose", "0002", "exception", "none")),
    ("recursion_in_foreach", fault("again", "0001-i0001", "exception", "none")),
    ("gang_in_foreach", fault("train", "0001-0001", "exception", "none")),
    ("join_that_splits", fault("join_two", "0", "exception", "none")),
)


@pytest.mark.parametrize(("shape", "broken"), FAILED, ids=[shape for shape, _ in FAILED])
def test_a_run_resumed_by_the_api_server_ends_as_if_nothing_had_failed(
    shape: str, broken: Fault, live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    flow, name = SHAPES[shape], "Resumed" + "".join(part.capitalize() for part in shape.split("_"))
    airflow = live_airflow_sqlite
    origin = _written(tmp_path, flow, broken, name, airflow).run("--keep-going").failed()
    assert origin.run
    file = _written(tmp_path, flow, None, name, airflow)
    _deploy(airflow, file, name)

    answer = airflow.api.client.post(f"/flows/resume/{name}", json={"origin": origin.run})
    assert answer.status_code == 201, answer.text
    airflow.api.wait_for_run(name, answer.json()["dag_run_id"])
    resumed = FlowRun(name, file.ledger, 0, "", "")
    assert resumed.run == answer.json()["run"] == airflow_run_id(name, answer.json()["dag_run_id"])
    assert observed(resumed, flow) == interpret(flow)

    ran = {step for (step, _), run in runs_of(resumed, flow).items() if run == resumed.run}
    instances = airflow.api.task_instances(name, answer.json()["dag_run_id"])
    assert {one.state for one in instances} <= {"success", "skipped"}
    had_process = {one.task_id for one in instances if one.details["pid"] is not None}
    steps = {one for one in had_process if not one.startswith("plan-")}
    assert ran <= steps
    # A worker was asked for a step that was taken over only where a split above it runs again.
    below = {step.name for step in _graph(airflow, name) if ran & set(step.frames)}
    assert steps - ran <= below


def _written(folder: Path, flow: Block, broken: Fault | None, name: str, airflow: LiveAirflow) -> FlowFile:
    return FlowFile(folder, flow_text(flow, broken, name), airflow.store)


def _deploy(airflow: LiveAirflow, file: FlowFile, name: str) -> None:
    manifest = manifest_from(file.path, airflow.store)
    (airflow.dags_folder / f"{name}.json").write_bytes(encode(manifest))
    Deployments(open_store(airflow.store)).put(manifest, f"{name}.py")
    airflow.add_dag(
        name, f'from airflow_mlflow_provider.dag import load_flow\n\ndag = load_flow("{name}.json")\n'
    )


def _graph(airflow: LiveAirflow, name: str) -> list[StepNode]:
    record = Deployments(open_store(airflow.store)).find(name)
    assert record is not None
    return list(record.flow_manifest().graph)
