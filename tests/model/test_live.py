"""Every shape, whole and with failures put in, does on a real Airflow what the reference model says.

`make test-full` runs the shapes and the failures that `failures.py` names; with `MODEL_LIVE=all`, also a failure in each step of each shape,
which takes half an hour of two cores. All runs are started at once; each test then waits for one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from airflow_mlflow_provider.plan.manifest import FlowManifest
from tests.model.deploying import shape_manifest
from tests.model.failures import FAILURES, NESTED_FAILURES, each_failure
from tests.model.live_cases import Case, agrees, put_and_start
from tests.model.shapes import SHAPES
from tests.services.airflow import LiveAirflow

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(3600)]


def _cases() -> Iterator[Case]:
    for shape in SHAPES:
        yield Case(shape)
    for shape, fault in (*FAILURES, *NESTED_FAILURES):
        yield Case(shape, fault)
    if os.environ.get("MODEL_LIVE") == "all":
        for shape, flow in SHAPES.items():
            for fault in each_failure(flow):
                yield Case(shape, fault)


CASES = {case.name: case for case in _cases()}


@pytest.fixture(scope="module")
def started(
    live_airflow_postgres: LiveAirflow,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Mapping[str, FlowManifest]:
    """The runs of all cases that were asked for, under way."""
    wanted = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("model")
    manifests: dict[str, FlowManifest] = {}
    for name in wanted:
        case = CASES[name]
        manifest = shape_manifest(
            case.flow, case.fault, case.flow_name, folder / name, limit_seconds=case.limit_seconds
        )
        manifests[name] = msgspec.structs.replace(manifest, dag_id=name)
    put_and_start(live_airflow_postgres, manifests)
    return manifests


@pytest.mark.parametrize("name", CASES)
def test_a_run_on_airflow_does_what_the_model_says(
    name: str, started: Mapping[str, FlowManifest], live_airflow_postgres: LiveAirflow
) -> None:
    agrees(live_airflow_postgres, started[name], CASES[name])
