"""What started a run."""

from __future__ import annotations

import datetime

import pytest

from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.client.trigger import run_event
from airflow_mlflow_provider.events import MetaflowEvent, Trigger
from tests.flow_runs import FlowRun

OLD = {"name": "loaded", "id": "e1", "timestamp": 1000.0, "type": "event"}
NEW = {"name": "cleaned", "id": "e2", "timestamp": 2000.0, "type": "event"}


def test_events_come_newest_first() -> None:
    trigger = Trigger([OLD, NEW])

    newest = MetaflowEvent(
        "cleaned", "e2", datetime.datetime.fromtimestamp(2000, datetime.timezone.utc), "event"
    )
    assert trigger.event == newest
    assert [event.name for event in trigger] == ["cleaned", "loaded"]
    assert trigger["loaded"] == trigger.events[1]
    assert "loaded" in trigger
    assert "other" not in trigger
    assert (trigger.run, trigger.runs) == (None, [])
    with pytest.raises(KeyError, match="other"):
        trigger["other"]


def test_a_run_is_found_by_its_flow(foreach_run: FlowRun) -> None:
    run = Run(f"Foreach/{foreach_run.run}")

    trigger = Trigger.from_runs([run])

    assert trigger.run == Run(run.pathspec, _namespace_check=False)
    assert trigger["Foreach"] == trigger.runs[0]
    assert "Foreach" in trigger
    assert trigger.event is not None
    assert (trigger.event.type, trigger.event.name) == ("run", "metaflow.Foreach.end")
    assert run_event(run)["id"] == f"{run.pathspec}/end/0"
