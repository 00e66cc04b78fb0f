"""A flow gives the same artifacts, in the same order, under the same pathspecs, wherever it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parity.conftest import Reference
from tests.parity.flows_under_test import FLOWS, FlowUnderTest
from tests.parity.reading import differences, read_run, unfinished
from tests.parity.ways import deploy_on_airflow, run_locally, run_on_airflow

LOCAL_S3 = "locally on S3"
SQLITE = "Airflow on SQLite, steps in the worker"
POSTGRES = "Airflow on PostgreSQL, steps in the worker"
PODS = "Airflow on SQLite, steps in pods, artifacts on S3"
MARKS = {
    LOCAL_S3: [],
    SQLITE: [pytest.mark.live],
    POSTGRES: [pytest.mark.live, pytest.mark.postgres],
    PODS: [pytest.mark.live, pytest.mark.kubernetes],
}
# One flow stands for the others where time is short: the widest one, and the smallest where each task is a pod.
QUICK = {SQLITE: ("ThreeLevelFlow", "CarStatsFlow"), POSTGRES: ("ThreeLevelFlow",), PODS: ("HelloFlow",)}


def _case(flow: FlowUnderTest, way: str) -> object:
    slow = way in QUICK and flow.name not in QUICK[way]
    return pytest.param(
        flow, way, marks=[*MARKS[way], *([pytest.mark.slow] if slow else [])], id=f"{flow.name}-{way}"
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("flow", "way"), [_case(flow, way) for flow in FLOWS for way in MARKS])
def test_a_flow_gives_the_same_everywhere(
    flow: FlowUnderTest, way: str, reference: Reference, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected = reference(flow)
    flow.check(expected)
    if way in (LOCAL_S3, PODS):
        store = f"s3://{request.getfixturevalue('s3_bucket')}/flows"
    else:
        store = (tmp_path / "store").as_uri()
    if way == LOCAL_S3:
        run = run_locally(flow, store, tmp_path)
    else:
        fixture = {
            SQLITE: "live_airflow_sqlite",
            POSTGRES: "live_airflow_postgres",
            PODS: "live_airflow_sqlite",
        }[way]
        airflow = request.getfixturevalue(fixture)
        compute = "kubernetes" if way == PODS else "worker"
        deploy_on_airflow(flow, store, airflow, f"Parity{flow.name}", compute)
        run = run_on_airflow(flow, store, tmp_path, airflow, f"Parity{flow.name}")
    found = read_run(store, flow.name, run)
    assert differences(expected, found) == []
    assert unfinished(store, flow.name, run) == []
