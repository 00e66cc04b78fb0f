"""Tasks that are ended from outside, and runs that end."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.operators.step import FlowStepOperator
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import Limits
from tests.dag.deployed import Finished, deploy
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


def test_in_a_flow_that_fails_fast_tasks_that_have_not_started_run_no_user_code(tmp_path: Path) -> None:
    manifest = deploy("ways_to_fail", tmp_path, limits=Limits(fail_fast=True))
    run = run_dag(build_dag(manifest), {"failures": 9}, expected="failed")
    found = Finished.of(manifest, run)
    assert found.status == "failed"
    end = found.ledger.run_end(found.flow, found.run)
    assert end is not None
    assert "ValueError: told to fail" in end.reason
    assert end.failed_tasks == (f"{found.flow}/{found.run}/shaky/0001",)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    assert pid != os.getpid()
    return state != "Z"
