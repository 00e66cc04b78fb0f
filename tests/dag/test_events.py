"""Events and the success of other flows: what starts a run, on a real Airflow, with flows deployed as users deploy them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.client import DataArtifact, Run
from airflow_mlflow_provider.integrations import FlowEvent
from airflow_mlflow_provider.plan.identity import airflow_run_id
from tests.dag.deployed import FLOWS
from tests.services.airflow import PASSWORDS, LiveAirflow
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow]

ENDED = ("success", "failed")


def create(airflow: LiveAirflow, flow: str, store: Path, dag_id: str) -> str:
    """Deploy a flow of `tests/dag/flows` with `airflow create`, and wait until it is parsed."""
    target = airflow.dags_folder / f"{dag_id}.py"
    project = [] if flow == "on_event" else ["--branch", "live"]
    command = [sys.executable, str(FLOWS / f"{flow}.py"), "--datastore-root", str(store), *project]
    environment = {
        **os.environ,
        "METAFLOW_USER": "tester",
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true",
    }
    made = subprocess.run(
        [*command, "airflow", "create", str(target), "--tag", "nightly"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    airflow.api.wait_for_dag(dag_id, filename=target.name)
    return dag_id


def runs(airflow: LiveAirflow, dag_id: str) -> list[dict[str, Any]]:
    """The runs of a DAG, oldest first."""
    found: list[dict[str, Any]] = airflow.api.request("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
    return sorted(found, key=lambda run: str(run["run_after"]))


def wait_for_next(airflow: LiveAirflow, dag_id: str, known: int) -> dict[str, Any]:
    """The run number `known` of a DAG, counted from 0, once it has ended."""

    def ended() -> bool:
        found = runs(airflow, dag_id)
        return len(found) > known and found[known]["state"] in ENDED

    wait_until(ended, timeout=90, message=f"run {known} of {dag_id}", interval=0.2)
    return runs(airflow, dag_id)[known]


def test_a_flow_starts_when_another_has_succeeded_and_not_when_it_failed(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    airflow, store = live_airflow_sqlite, tmp_path / "store"
    upstream = create(airflow, "upstream", store, "chain.test.live.UpstreamFlow")
    downstream = create(airflow, "downstream", store, "chain.test.live.DownstreamFlow")
    failed = airflow.api.trigger(upstream, conf={"fails": True})
    airflow.api.wait_for_run(upstream, failed, expected="failed")
    succeeded = airflow.api.trigger_and_wait(upstream)
    started = wait_for_next(airflow, downstream, 0)
    assert started["state"] == "success", airflow.api.report(downstream, started["dag_run_id"])
    assert len(runs(airflow, downstream)) == 1
    run = Run(
        f"DownstreamFlow/{airflow_run_id(downstream, started['dag_run_id'])}",
        _namespace_check=False,
        _store=store.as_uri(),
    )
    assert run.trigger is not None
    event = run.trigger.event
    assert event is not None
    origin = f"UpstreamFlow/{airflow_run_id(upstream, succeeded)}"
    assert (event.name, event.id, event.type) == (
        "metaflow.chain.test.live.UpstreamFlow.end",
        f"{origin}/finish/0",
        "run",
    )
    assert run.trigger.run is not None
    assert run.data is not None
    assert run.trigger.run.pathspec == origin == run.data.upstream
    assert run.data.word == "told"
    asset = {"name_pattern": "metaflow.chain.test.live.UpstreamFlow.end"}
    (found,) = airflow.api.request("GET", "/assets", params=asset)["assets"]
    events = airflow.api.request("GET", "/assets/events", params={"asset_id": found["id"]})["asset_events"]
    (told,) = [event["extra"] for event in events]
    assert told["pathspec"] == event.id
    assert (
        told["artifacts"]["word"]
        == DataArtifact(f"{event.id}/word", _namespace_check=False, _store=store.as_uri()).sha
    )
    assert (told["metrics"], told["tags"]) == ({"number": 7}, ["nightly"])
    assert len(told["digest"]) == 64


def test_an_event_starts_a_flow_and_sets_its_parameters(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow, store = live_airflow_sqlite, tmp_path / "store"
    dag_id = create(airflow, "on_event", store, "OnEventFlow")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__API_USER", "admin")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD", PASSWORDS["admin"])
    event = FlowEvent("new-data", url=airflow.base_url, payload={"n": 3})
    identity = event.add_to_payload("words", ["a", "b"]).publish(ignore_errors=False)
    started = wait_for_next(airflow, dag_id, 0)
    assert started["state"] == "success", airflow.api.report(dag_id, started["dag_run_id"])
    pathspec = f"OnEventFlow/{airflow_run_id(dag_id, started['dag_run_id'])}"
    run = Run(pathspec, _namespace_check=False, _store=store.as_uri())
    assert run.data is not None
    assert (run.data.count, run.data.words) == (3, ["a", "b"])
    assert run.data.event == ("new-data", identity)
    assert run.trigger is not None
    assert run.trigger.run is None

    bad = FlowEvent("new-data", url=airflow.base_url).publish({"n": "many"}, ignore_errors=False)
    refused = wait_for_next(airflow, dag_id, 1)
    assert refused["state"] == "failed"
    log = airflow.api.task_log(dag_id, refused["dag_run_id"], "start")
    assert f"new-data ({bad}) sets the parameter 'count' to a str" in log


def test_an_event_that_nobody_waits_for_has_an_id(
    live_airflow_sqlite: LiveAirflow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__API_USER", "admin")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD", PASSWORDS["admin"])
    assert FlowEvent("unheard", url=live_airflow_sqlite.base_url).publish(ignore_errors=False)
    assert "No DAG" in caplog.text
