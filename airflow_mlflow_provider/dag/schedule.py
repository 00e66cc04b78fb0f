"""When Airflow starts a flow by itself: a cron timetable, asset updates, or both."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.plan.manifest import FlowManifest

if TYPE_CHECKING:
    from airflow.sdk.definitions.asset import BaseAsset


def schedule(manifest: FlowManifest) -> Any:
    """What Airflow takes as ``schedule``; ``None`` if the flow is only started by hand.

    Raises:
        ValueError: The cron expression or the timezone is not one.
    """
    if manifest.schedule is None:
        return _assets(manifest) if manifest.triggers else None
    from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable

    timetable = CronTriggerTimetable(manifest.schedule.cron, timezone=manifest.schedule.timezone)
    if not manifest.triggers:
        return timetable
    return AssetOrTimeSchedule(timetable=timetable, assets=_assets(manifest))


def start_date(manifest: FlowManifest) -> datetime | None:
    """The moment of the first deployment, for flows with a timetable."""
    if manifest.schedule is None or not manifest.schedule.start_date:
        return None
    return datetime.fromisoformat(manifest.schedule.start_date)


def _assets(manifest: FlowManifest) -> BaseAsset:
    """All of the assets must have been updated."""
    from airflow.sdk import Asset, AssetAll

    return AssetAll(*(Asset(trigger.asset) for trigger in manifest.triggers))
