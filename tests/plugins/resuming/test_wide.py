"""Resuming on PostgreSQL, and a run of a thousand splits whose artifacts are on S3."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_mlflow_provider.plan.manifest import Limits
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished
from tests.plugins.resuming.failed import FLOW, FailedRun, deploy, failed_run
from tests.services.airflow import LiveAirflow
from tests.services.s3 import S3Server

pytestmark = [pytest.mark.live, pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(1200)]

SPLITS = 1000
RAN = {"body[1]", "polish[1]", "left", "first", "gather", "meet", "collect", "end"}


def ran(failed: FailedRun, dag_run_id: str) -> set[str]:
    """Labels of the task instances that had a process."""
    instances = failed.instances(dag_run_id)
    assert {one.state for one in instances.values()} == {"success", "skipped"}
    return {label for label, one in instances.items() if one.details["pid"] is not None}


def test_on_postgresql_only_what_was_left_runs(live_airflow_postgres: LiveAirflow, tmp_path: Path) -> None:
    failed = failed_run(live_airflow_postgres, "resume_postgres", tmp_path / "fails")
    resumed = failed.resume()["dag_run_id"]
    assert failed.finished(resumed).artifact("end", "values") == [1, 11, 21]
    assert ran(failed, resumed) == RAN


def test_of_a_thousand_splits_the_one_that_failed_runs(
    live_airflow_postgres: LiveAirflow, s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    airflow, store, fails = live_airflow_postgres, f"s3://{s3_bucket}/flows", tmp_path / "fails"
    wide = Limits(max_map_width=SPLITS)
    manifest = deploy(airflow, "resume_thousand", store=store, limits=wide)
    fails.touch()
    command = [sys.executable, str(FLOW), "--datastore-root", store, "run", "--keep-going"]
    command += ["--max-num-splits", str(SPLITS), "--splits", str(SPLITS), "--file", str(fails)]
    local = subprocess.run(
        command, env={**os.environ, "METAFLOW_USER": "tester"}, capture_output=True, text=True, check=False
    )
    assert local.returncode == 1, local.stdout[-2000:] + local.stderr[-2000:]
    fails.unlink()

    (origin,) = Ledger(open_store(store)).latest(manifest.flow_name)
    failed = FailedRun(airflow, manifest, "")
    before = s3_server.counts(s3_bucket).total()
    began = time.monotonic()
    answer = failed.resume(origin=origin)
    took, requests = time.monotonic() - began, s3_server.counts(s3_bucket).total() - before
    print(f"resumed {SPLITS} splits: {took:.2f} s, {requests} requests of the store")
    assert answer["taken_over"] == {"start": 1, "spread": 1, "body": 999, "polish": 999, "way": 1}
    assert answer["instances"]["body"] == answer["instances"]["polish"] == SPLITS - 1
    # As many for ten splits: a read of how the tasks ended and one for each split and switch, and what a run begins with.
    assert requests <= 12
    airflow.api.wait_for_run(manifest.dag_id, answer["dag_run_id"], timeout=600)
    found = Finished.of_dag_run(manifest, manifest.dag_id, answer["dag_run_id"])
    assert found.artifact("end", "values") == [10 * number + 1 for number in range(SPLITS)]
    assert ran(failed, answer["dag_run_id"]) == RAN
