"""SCHEDULE of the orchestrator kit."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import pytest

from tests.capabilities.deployed import Deployments
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(600)]


def test_cron_fires_at_the_same_local_time_before_and_after_a_change_of_clocks(workers: Deployments) -> None:
    deployed = workers.deploy("basic/daily_flow.py")
    api = workers.airflow.api
    # New York set its clocks forward on 8 March 2026, so 09:30 was 14:30 UTC on the 7th and 13:30 UTC after.
    api.request(
        "POST",
        "/backfills",
        json={
            "dag_id": deployed.name,
            "from_date": "2026-03-07T00:00:00Z",
            "to_date": "2026-03-10T00:00:00Z",
            "max_active_runs": 3,
        },
    )
    wait_until(
        lambda: len(_ended(workers, deployed.name)) == 3, 180, lambda: str(_runs(workers, deployed.name))
    )
    runs = _ended(workers, deployed.name)
    assert [run["state"] for run in runs] == ["success"] * 3
    assert [run["logical_date"][:16] for run in runs] == [
        "2026-03-07T14:30",
        "2026-03-08T13:30",
        "2026-03-09T13:30",
    ]


def test_cron_of_six_fields_fires_once_in_each_minute(workers: Deployments) -> None:
    deployed = workers.deploy("basic/minutely_flow.py")
    wait_until(
        lambda: len(_ended(workers, deployed.name)) >= 2, 240, lambda: str(_runs(workers, deployed.name))
    )
    deployed.pause()
    runs = _runs(workers, deployed.name)
    assert {run["run_type"] for run in runs} == {"scheduled"}
    moments = [datetime.fromisoformat(run["logical_date"]) for run in runs]
    assert [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments)] == [60.0] * (
        len(moments) - 1
    )


def _runs(deployments: Deployments, dag_id: str) -> list[dict[str, Any]]:
    found = deployments.airflow.api.request("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
    return sorted(found, key=lambda run: str(run["logical_date"]))


def _ended(deployments: Deployments, dag_id: str) -> list[dict[str, Any]]:
    return [run for run in _runs(deployments, dag_id) if run["state"] in ("success", "failed")]
