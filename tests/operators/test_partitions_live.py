"""Partitions of assets, which Airflow has from 3.3 on: a named artifact and a flow's run tell the partition of their DAG run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.parts import PartsSite
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(600)]

DAY = "2026-11-01T00:00:00"
SOURCE = """
from airflow.sdk import DAG, CronPartitionTimetable, PartitionedAssetTimetable, get_current_context, task

from airflow_mlflow_provider.assets.artifact import artifact_asset
from airflow_mlflow_provider.operators.artifacts import PublishArtifactOperator

with DAG("publish_daily", schedule=CronPartitionTimetable("0 0 1 1 *", timezone="UTC")):
    PublishArtifactOperator(task_id="publish", name="team/daily", value={"day": "{{ partition_key }}"})

with DAG("use_daily", schedule=PartitionedAssetTimetable(assets=artifact_asset("team/daily"))):

    @task
    def day():
        context = get_current_context()
        (events,) = context["triggering_asset_events"].values()
        return [context["dag_run"].partition_key, events[-1].extra["artifact"], events[-1].extra["partition_key"]]

    day()
"""


def test_a_version_of_a_partition_starts_the_run_of_that_partition(parts_site: PartsSite) -> None:
    api = parts_site.api
    parts_site.airflow.add_dag("publish_daily", SOURCE)
    api.wait_for_dag("use_daily", filename="publish_daily.py")
    body = {"logical_date": None, "partition_key": DAY}
    made = api.request("POST", "/dags/publish_daily/dagRuns", json=body)["dag_run_id"]
    api.wait_for_run("publish_daily", made)
    assert api.xcom("publish_daily", made, "publish")["partition_key"] == DAY

    def started() -> list[Any]:
        runs = api.request("GET", "/dags/use_daily/dagRuns")["dag_runs"]
        return [run["dag_run_id"] for run in runs if run["partition_key"] == DAY]

    wait_until(lambda: bool(started()), 90, "no run of the partition was started")
    (run_id,) = started()
    api.wait_for_run("use_daily", run_id)
    assert api.xcom("use_daily", run_id, "day") == [DAY, "artifact:team/daily@1", DAY]
