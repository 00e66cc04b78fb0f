"""A run keeps the manifest that it was started with, whatever is deployed later."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from airflow.sdk import Context

from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.operators.unit_try import UnitTry
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunRecord
from tests.dag.manifests import manifest_of


def attempt(manifest: FlowManifest, unit: str) -> UnitTry:
    """The first try of a unit in DAG run ``manual__1``."""
    instance = SimpleNamespace(
        dag_id=manifest.dag_id,
        run_id="manual__1",
        task_id=unit,
        map_index=None,
        try_number=1,
        max_tries=0,
        log_url="http://airflow/log",
    )
    dag_run = SimpleNamespace(
        dag_id=manifest.dag_id,
        run_id="manual__1",
        run_type="manual",
        conf={},
        consumed_asset_events=[],
        logical_date=datetime(2026, 1, 2, tzinfo=timezone.utc),
    )
    task = SimpleNamespace(retries=0)
    context = cast("Context", {"ti": instance, "dag_run": dag_run, "task": task, "params": {}})
    deployment = Deployment(manifest)
    return UnitTry(deployment, deployment.plan.units[unit], ((),), context)


@pytest.fixture
def manifest(tmp_path: Path) -> FlowManifest:
    """A flow of three steps in an empty store."""
    return msgspec.structs.replace(manifest_of("linear"), store=tmp_path.as_uri())


def start(manifest: FlowManifest) -> None:
    """Begin the run of ``manual__1`` with this manifest."""
    ledger = Ledger(open_store(manifest.store))
    digest = ledger.put_blob(Deployment(manifest).encoded)
    run = airflow_run_id(manifest.dag_id, "manual__1")
    ledger.create_run(RunRecord(manifest.flow_name, run, 1.0, "airflow", {}, digest))


def test_a_later_deployment_changes_nothing_for_a_run_that_has_started(manifest: FlowManifest) -> None:
    start(manifest)
    later = msgspec.structs.replace(manifest, settings={"kubernetes_image": "newer:2"})
    assert attempt(later, "middle").pinned.manifest == manifest
    assert attempt(later, "start").pinned.manifest == manifest


def test_a_run_that_has_not_started_takes_what_is_deployed(manifest: FlowManifest) -> None:
    assert attempt(manifest, "start").pinned.manifest == manifest


def test_a_run_without_a_record_is_an_error_after_its_start(manifest: FlowManifest) -> None:
    with pytest.raises(MetaflowNotFound):
        _ = attempt(manifest, "middle").pinned


def test_only_the_start_step_asks_for_a_new_run(manifest: FlowManifest) -> None:
    first = attempt(manifest, "start").request(((),))
    assert first.new_run is not None
    assert first.new_run.run == first.run
    assert attempt(manifest, "middle").request(((),)).new_run is None


def test_a_request_says_where_it_runs_in_airflow(manifest: FlowManifest) -> None:
    request = attempt(manifest, "middle").request(((),))
    assert request.airflow == {
        "dag_id": "LinearFlow",
        "dag_run_id": "manual__1",
        "task_id": "middle",
        "map_index": -1,
        "try_number": 1,
        "log_url": "http://airflow/log",
        "logical_date": "2026-01-02T00:00:00+00:00",
    }
    assert (request.attempt, request.retry_count, request.last) == (0, 0, True)
