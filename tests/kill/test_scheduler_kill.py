"""`kill -9` of Airflow's scheduler in the middle of a run: once there is a scheduler again, the run ends and has its verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.dag.deployed import Finished, deploy
from tests.dag.test_live import finished, put
from tests.services.airflow import WARM_SCHEDULER, LiveAirflow
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1200)]

# How long Airflow waits before it takes a task without a heartbeat for dead; minutes by default.
SETTINGS = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
}
RUN_SECONDS = 600.0


def test_runs_whose_scheduler_died_end_with_a_verdict_a_reason_and_a_time(tmp_path: Path) -> None:
    with LiveAirflow(environment=SETTINGS) as airflow:
        manifest = put(airflow, deploy("outlives", tmp_path), "outlives")
        runs = {fails: airflow.api.trigger("outlives", conf={"fails": fails}) for fails in (False, True)}
        found = {fails: finished(manifest, run) for fails, run in runs.items()}
        wait_until(lambda: all(_under_way(each) for each in found.values()), 240, "both runs are under way")
        _kill_scheduler(airflow)
        with _another_scheduler(airflow, tmp_path / "scheduler.log"):
            for fails, run in runs.items():
                expected = "failed" if fails else "success"
                airflow.api.wait_for_run("outlives", run, timeout=RUN_SECONDS, expected=expected)
            wait_until(lambda: all(each.status for each in found.values()), 120, "both runs are sealed")
    good, bad = found[False], found[True]
    assert good.status == "succeeded"
    assert good.artifact("end", "squares") == [1, 4, 9]
    assert bad.status == "failed"
    for each in (good, bad):
        end = each.ledger.run_end(each.flow, each.run)
        assert end is not None
        assert end.ended_at > each.record.created_at
    end = bad.ledger.run_end(bad.flow, bad.run)
    assert end is not None
    assert "join/0: told to fail" in end.reason
    assert end.failed_tasks == (f"OutlivesFlow/{bad.run}/join/0",)


def _under_way(run: Finished) -> bool:
    """Whether a task of the body has begun, and none has ended."""
    return bool(run.ledger.tasks(run.flow, run.run, "body"))


def _kill_scheduler(airflow: LiveAirflow) -> None:
    os.kill(airflow.process_id("scheduler"), signal.SIGKILL)
    exited = airflow.directory / "scheduler.exited"
    wait_until(exited.exists, 30, "the scheduler is dead")
    exited.unlink()  # else waiting for anything says that a part of Airflow has died


@contextmanager
def _another_scheduler(airflow: LiveAirflow, log: Path) -> Iterator[None]:
    command = [sys.executable, "-c", WARM_SCHEDULER, "scheduler", "--skip-serve-logs"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=airflow.environment(), stdout=output, stderr=output, start_new_session=True
        ) as scheduler,
    ):
        try:
            yield
        finally:
            scheduler.terminate()
            try:
                scheduler.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(scheduler.pid, signal.SIGKILL)
