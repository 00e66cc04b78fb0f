"""When Airflow starts a flow by itself."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from airflow.sdk import Asset, AssetAll, AssetOrTimeSchedule, CronTriggerTimetable
from airflow.sdk.definitions.timetables.simple import NullTimetable
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import EventTrigger, Schedule
from tests.dag.manifests import manifest_of

NIGHTLY = Schedule("30 2 * * *", "Europe/Berlin", "2026-01-01T00:00:00+00:00")
EVENTS = (EventTrigger("orders"), EventTrigger("stock"))


def test_a_flow_without_schedule_is_started_by_hand_only() -> None:
    dag = build_dag(manifest_of("linear"))
    assert isinstance(dag.timetable, NullTimetable)


def test_a_cron_schedule_keeps_its_timezone_and_does_not_catch_up() -> None:
    dag = build_dag(manifest_of("linear", schedule=NIGHTLY))
    assert isinstance(dag.timetable, CronTriggerTimetable)
    assert dag.catchup is False
    assert dag.start_date == datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_all_assets_must_have_been_updated() -> None:
    dag = build_dag(manifest_of("linear", triggers=EVENTS))
    condition = dag.timetable.asset_condition
    assert isinstance(condition, AssetAll)
    assert condition == AssetAll(Asset("orders"), Asset("stock"))


def test_a_schedule_and_assets_start_the_flow_either_way() -> None:
    dag = build_dag(manifest_of("linear", schedule=NIGHTLY, triggers=EVENTS))
    assert isinstance(dag.timetable, AssetOrTimeSchedule)


@pytest.mark.parametrize(
    "fields", [{"schedule": NIGHTLY}, {"triggers": EVENTS}, {"schedule": NIGHTLY, "triggers": EVENTS}]
)
def test_scheduled_dags_pass_airflows_serialization(fields: dict[str, object]) -> None:
    DagSerialization.from_dict(DagSerialization.to_dict(build_dag(manifest_of("linear", **fields))))
