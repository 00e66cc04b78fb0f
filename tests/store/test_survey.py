"""How the tasks of a step stand, from one listing."""

from __future__ import annotations

import pytest

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import (
    AttemptKey,
    BeginRecord,
    Carried,
    CarriedTasks,
    DoneRecord,
    ExceptionRecord,
    Outcome,
    RunRecord,
)
from airflow_mlflow_provider.store.survey import survey_step
from tests.services.s3 import S3Server

FLOW, RUN, STEP = "F", "run", "body"


def key(task: str, attempt: int = 0, run: str = RUN) -> AttemptKey:
    return AttemptKey(FLOW, run, STEP, task, attempt)


def begin(ledger: Ledger, task: str, attempt: int = 0) -> None:
    ledger.begin(BeginRecord(key(task, attempt), 1.0, "host", 1))


def end(ledger: Ledger, task: str, outcome: Outcome, attempt: int = 0) -> None:
    error = None if outcome == "succeeded" else ExceptionRecord("E", "m")
    ledger.commit(DoneRecord(key(task, attempt), outcome, 1.0, 2.0, exception=error))


def test_the_newest_attempt_tells_how_a_task_stands() -> None:
    ledger = Ledger(open_store("memory://survey"))
    ledger.carry(FLOW, RUN, Carried({STEP: (CarriedTasks("origin", 2, ("0000",)),)}))
    ledger.create_run(RunRecord(FLOW, RUN, 1.0, "u", {}, ""))
    for task, outcome in (("0001", "succeeded"), ("0002", "failed"), ("0003", "caught")):
        begin(ledger, task)
        end(ledger, task, outcome)  # type: ignore[arg-type]
    begin(ledger, "0004")
    begin(ledger, "0005")
    end(ledger, "0005", "failed")
    begin(ledger, "0005", 1)
    found = survey_step(ledger, FLOW, RUN, STEP)
    assert [(one.key, one.state) for one in found] == [
        (key("0000", 2, "origin"), "succeeded"),
        (key("0001"), "succeeded"),
        (key("0002"), "failed"),
        (key("0003"), "caught"),
        (key("0004"), "running"),
        (key("0005", 1), "running"),
    ]
    times = found[1]
    assert times.began is not None
    assert times.ended is not None
    assert times.began <= times.ended
    assert (found[4].ended, found[0].began) == (None, None)


@pytest.mark.parametrize("tasks", [400])
def test_it_costs_a_listing_of_a_thousand_objects_at_a_time_and_reads_nothing_else(
    s3_server: S3Server, s3_bucket: str, tasks: int
) -> None:
    ledger = Ledger(open_store(f"s3://{s3_bucket}/store", cache=None))
    for number in range(tasks):
        task = f"{number:04d}"
        begin(ledger, task)
        end(ledger, task, "succeeded")
    before = s3_server.counts(s3_bucket).total()
    assert len(survey_step(ledger, FLOW, RUN, STEP)) == tasks
    # What was taken over, and the listing: 800 objects are one answer.
    assert s3_server.counts(s3_bucket).total() - before <= 2
