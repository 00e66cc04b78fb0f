"""Tasks that are ended from outside, and runs that end."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.operators.step import FlowStepOperator
from airflow_mlflow_provider.operators.unit_try import UnitTry
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import Limits
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunEnd, RunRecord
from tests.dag.deployed import deploy
from tests.dag.manifests import manifest_of
from tests.services.dag_test import run_dag
from tests.services.waiting import wait_until


def test_a_task_that_airflow_times_out_leaves_no_process_behind(tmp_path: Path) -> None:
    manifest, file = deploy("sleeper", tmp_path), tmp_path / "pids"
    dag = build_dag(manifest)
    dag.task_dict["start"].execution_timeout = timedelta(seconds=8)
    run = run_dag(dag, {"file": str(file)}, expected="failed")
    assert run.states["start"] == "failed"
    pids = [int(pid) for pid in file.read_text().split()]
    assert len(pids) == 2
    wait_until(lambda: not any(map(_alive, pids)), 20, f"of the processes {pids} some are alive")


def test_a_kill_while_the_runner_works_unwinds_it_and_at_any_other_time_does_nothing() -> None:
    operator = FlowStepOperator(task_id="start", deployment=Deployment(manifest_of("linear")), unit="start")
    operator.on_kill()
    operator._interruptible = True
    with pytest.raises(AirflowException, match="ended from outside"):
        operator.on_kill()


@pytest.mark.parametrize("fail_fast", [True, False])
def test_in_a_flow_that_fails_fast_a_task_that_starts_after_a_failure_is_refused(
    tmp_path: Path, fail_fast: bool
) -> None:
    manifest = manifest_of("linear", limits=Limits(fail_fast=fail_fast))
    ledger = Ledger(open_store(tmp_path.as_uri()))
    ledger.create_run(RunRecord(manifest.flow_name, "r", 1.0, "airflow", {}, "0" * 64))
    operator = FlowStepOperator(task_id="end", deployment=Deployment(manifest), unit="end")
    work = cast("UnitTry", SimpleNamespace(starts_run=False, ledger=ledger, flow=manifest.flow_name, run="r"))
    operator._refuse_failed_run(work)
    ledger.end_run(manifest.flow_name, "r", RunEnd("failed", 2.0, "middle/0: told to fail"))
    if fail_fast:
        with pytest.raises(AirflowFailException, match="middle/0: told to fail"):
            operator._refuse_failed_run(work)
    else:
        operator._refuse_failed_run(work)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    assert pid != os.getpid()
    return state != "Z"
