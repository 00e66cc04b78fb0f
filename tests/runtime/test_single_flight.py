"""`@cache`: of tasks that want the same result at once, one computes it and the others wait."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_mlflow_provider.runtime.single_flight import Busy, Flight, Patience
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey
from tests.flow_runs import FlowFile, FlowRun, StartedFlow
from tests.services.waiting import wait_until

SOURCE = """
import os, time, uuid

class SlowFlow(FlowSpec):
    items = Parameter("items", default="a", separator=",")
    label = Parameter("label", default="")

    @step
    def start(self):
        self.next(self.work, foreach="items")

    @timeout(seconds=20)
    @cache
    @step
    def work(self):
        open(f"computing-{self.input}-{uuid.uuid4().hex}", "w").close()
        until = time.monotonic() + 60
        while not os.path.exists(f"go-{self.input}") and time.monotonic() < until:
            time.sleep(0.02)
        if os.path.exists("fail"):
            os.unlink("fail")
            raise ValueError("told to fail")
        self.result = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.results = [one.result for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""
SHORT_LEASE = {"AIRFLOW__MLFLOW_PROVIDER__CACHE_LEASE_S": "2"}


@pytest.fixture(params=["file", "s3"])
def flow(request: pytest.FixtureRequest, tmp_path: Path) -> FlowFile:
    """The flow above, on a store in a folder and on S3."""
    if request.param == "file":
        return FlowFile(tmp_path, SOURCE)
    return FlowFile(tmp_path, SOURCE, f"s3://{request.getfixturevalue('s3_bucket')}/store")


@pytest.fixture
def store(flow: FlowFile) -> Store:
    """The flow's store."""
    return open_store(flow.store, cache=None)


def computed(flow: FlowFile, item: str = "a") -> int:
    """How often a result has been computed, or begun to be."""
    return len(list(flow.folder.glob(f"computing-{item}-*")))


def started(flow: FlowFile, name: str, *options: str) -> StartedFlow:
    """A run in the flow's folder, with streams of its own."""
    (flow.folder / name).mkdir()
    return flow.start(*options, streams=flow.folder / name, environment=SHORT_LEASE)


def until(run: StartedFlow, text: str) -> None:
    """Wait until a run has printed a text."""
    wait_until(lambda: text in run.stdout, 60, lambda: f"{text!r}\n{run.stdout}")


def record_of(flow: FlowFile, run: StartedFlow) -> FlowRun:
    """A run that has succeeded."""
    return run.ended().succeeded()


def test_one_run_computes_and_the_other_waits_and_takes_the_result(flow: FlowFile) -> None:
    with started(flow, "first") as first:
        wait_until(lambda: computed(flow) == 1, 60, "the first run to compute")
        with started(flow, "second", "--label", "other") as second:
            # Nobody knows yet what the step reads, so a run with another label computes, too.
            wait_until(lambda: computed(flow) == 2, 60, "the second run to compute")
            with started(flow, "third") as third:
                until(third, "which computes the same result")
                (flow.folder / "go-a").touch()
                for run in (first, second, third):
                    record_of(flow, run)
                assert "Reused from the cache" in third.stdout
    assert computed(flow) == 2
    assert not [item.key for item in flow.ledger.store.list("cache") if "claim-" in item.key]


def test_who_waits_takes_over_from_a_run_that_died(flow: FlowFile) -> None:
    with started(flow, "first") as first:
        wait_until(lambda: computed(flow) == 1, 60, "the first run to compute")
        with started(flow, "second") as second:
            until(second, "which computes the same result")
            os.killpg(first.process.pid, signal.SIGKILL)
            until(second, "gives no sign of life; the result is computed here")
            (flow.folder / "go-a").touch()
            record_of(flow, second)
    assert computed(flow) == 2


def test_who_waits_computes_at_once_when_the_other_failed(flow: FlowFile) -> None:
    with started(flow, "first") as first:
        wait_until(lambda: computed(flow) == 1, 60, "the first run to compute")
        with started(flow, "second") as second:
            until(second, "which computes the same result")
            (flow.folder / "fail").touch()
            (flow.folder / "go-a").touch()
            first.ended().failed()
            record_of(flow, second)
            assert "no sign of life" not in second.stdout
    assert computed(flow) == 2


def test_splits_of_one_run_wait_for_those_that_are_equal_alone(flow: FlowFile) -> None:
    # A claim goes by what a step reads, which nobody knows before its first result: the first ever may be computed twice.
    (flow.folder / "go-c").touch()
    flow.run("--items", "c").succeeded()
    (flow.folder / "go-a").touch()
    (flow.folder / "go-b").touch()
    run = flow.run("--items", "a,b,a,b,a", "--max-workers", "5").succeeded()
    assert run.value("results", "join") == ["aa", "bb", "aa", "bb", "aa"]
    assert (computed(flow, "a"), computed(flow, "b")) == (1, 1)


def key(name: str) -> AttemptKey:
    """An attempt."""
    return AttemptKey("F", name, "s", "0", 0)


def test_of_many_that_claim_at_once_one_has_it(store: Store) -> None:
    flights = [Flight(store, "cache/F/s/claim-1.json", key(str(n)), 60) for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(Flight.take, flights))
    (owner,) = [number for number, busy in enumerate(found) if busy is None]
    assert {busy.claim.key for busy in found if busy is not None} == {key(str(owner))}
    # Whoever sees the owner silent takes over once, however many do at once.
    with ThreadPoolExecutor(8) as threads:
        taken = list(
            threads.map(
                lambda pair: pair[1] is not None and pair[0].take_over(pair[1]),
                zip(flights, found, strict=True),
            )
        )
    assert taken.count(True) == 1
    flights[owner].release()
    assert flights[owner].take() is not None
    flights[taken.index(True)].release()
    assert flights[owner].take() is None


def test_an_owner_that_gives_signs_of_life_is_never_taken_for_dead(store: Store) -> None:
    owner, other = (Flight(store, "cache/F/s/claim-1.json", key(name), 1) for name in "ab")
    assert owner.take() is None
    owner.keep_alive()
    patience, begun = Patience(60), time.monotonic()
    while time.monotonic() - begun < 3:
        busy = other.take()
        assert isinstance(busy, Busy)
        assert not patience.is_over(busy)
        time.sleep(0.1)
        patience.waited(0.1)
    owner.release()
    assert other.take() is None


def test_waiting_is_bounded_whoever_lives() -> None:
    patience = Patience(10)
    pauses: list[float] = []
    while not patience.is_lost:
        pauses.append(patience.pause())
        patience.waited(pauses[-1])
    assert pauses == sorted(pauses)
    assert 10 < len(pauses) < 100
