"""What the client asks of the store does not grow with the number of runs."""

from __future__ import annotations

import time

import msgspec
import pytest

from airflow_mlflow_provider.client import Flow, Run, metadata, scope
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest, encode
from airflow_mlflow_provider.runtime.heartbeat import Heartbeat
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import (
    AttemptKey,
    BeginRecord,
    DoneRecord,
    RunEnd,
    RunRecord,
    run_prefix,
)
from tests.client.counting import CountingStore

LONG_AGO = 1_700_000_000.0


class Shelf:
    """A store in memory with runs of one flow, and what was asked of it."""

    def __init__(self, url: str) -> None:
        self.counting = CountingStore(open_store(url, cache=None))
        self.ledger = Ledger(self.counting)  # type: ignore[arg-type]
        node = StepNode(name="start", file="flow.py", line=1)
        graph = FlowGraph("Shelved", "start", "start", {"start": node})
        self.manifest = self.ledger.put_blob(
            encode(FlowManifest("Shelved", graph, url, Code("", "flow.py", "Shelved")))
        )

    def add(self, number: int, user: str = "tester", status: str | None = "succeeded") -> str:
        """A run; its number orders it in time."""
        run, moment = f"run{number:04d}", LONG_AGO + number
        record = RunRecord("Shelved", run, moment, user, {}, self.manifest, system_tags=(f"user:{user}",))
        self.ledger.create_run(record)
        key = AttemptKey("Shelved", run, "start", "0", 0)
        if status == "succeeded":
            self.ledger.begin(BeginRecord(key, moment, "host", 1))
            self.ledger.commit(DoneRecord(key, "succeeded", moment, moment))
        if status is not None:
            self.ledger.end_run("Shelved", run, RunEnd(status, moment))  # type: ignore[arg-type]
        return run

    def asked(self) -> int:
        """Requests since the last time."""
        number = self.counting.requests.total()
        self.counting.requests.clear()
        return number


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Shelf:
    """An empty store that the client reads."""
    url = f"memory://{request.node.name}"
    made = Shelf(url)
    monkeypatch.setattr(scope, "ledger_of", lambda _: made.ledger)
    monkeypatch.setattr("airflow_mlflow_provider.client.core.ledger_of", lambda _: made.ledger)
    metadata(url)
    return made


@pytest.mark.parametrize("runs", [1, 30, 300])
def test_the_latest_run_takes_the_same_requests_however_many_there_are(shelf: Shelf, runs: int) -> None:
    for number in range(runs):
        shelf.add(number)
    newest = shelf.add(runs)
    failed = shelf.add(runs + 1, status="failed")
    shelf.asked()

    latest = Flow("Shelved").latest_run

    assert latest is not None
    assert latest.id == failed
    assert shelf.asked() <= 6
    successful = Flow("Shelved").latest_successful_run
    assert successful is not None
    assert successful.id == newest
    assert shelf.asked() <= 10


def test_many_runs_are_read_in_batches(shelf: Shelf) -> None:
    ids = [shelf.add(number) for number in range(200)]
    flow = Flow("Shelved")
    shelf.asked()

    assert [run.id for run in flow.runs()] == ids[::-1]
    assert shelf.asked() <= 10


def test_runs_of_others_are_passed_over_in_batches(shelf: Shelf) -> None:
    mine = shelf.add(0)
    for number in range(1, 100):
        shelf.add(number, user="other", status=None)

    found = Flow("Shelved", _namespace_check=False)
    assert found.latest_run is not None
    assert found.latest_run.id == "run0099"
    own = Flow("Shelved").latest_run
    assert own is not None
    assert own.id == mine


def test_a_run_without_a_sign_of_life_is_lost(shelf: Shelf) -> None:
    run = Run(f"Shelved/{shelf.add(1, status=None)}")

    assert (run.status, run.reason, run.failed, run.finished) == ("failed", "lost", True, False)
    assert run.ended_at is None


def test_a_run_that_gives_signs_of_life_is_running(shelf: Shelf) -> None:
    identity = shelf.add(1, status=None)
    beat = Heartbeat(time.time(), 10.0)

    shelf.ledger.store.put(f"{run_prefix('Shelved', identity)}/heartbeat", msgspec.json.encode(beat))
    run = Run(f"Shelved/{identity}")

    assert (run.status, run.reason, run.failed) == ("pending", "", False)
    shelf.ledger.begin(BeginRecord(AttemptKey("Shelved", identity, "start", "0", 0), time.time(), "host", 1))
    assert run.status == "running"
    assert [task.status for task in run["start"]] == ["running"]
    assert run["start"].task is not None
    assert run["start"].task.finished is False
    assert run["start"].finished_at is None


def test_a_run_that_was_ended_is_terminated(shelf: Shelf) -> None:
    run = Run(f"Shelved/{shelf.add(1, status='terminated')}")

    assert (run.status, run.failed, run.successful) == ("terminated", True, False)
    assert run.ended_at is not None
