"""Collecting garbage: what goes, what stays, and that nothing kept ever misses anything."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.cli.console import run_console
from airflow_mlflow_provider.client.garbage import Collected, collect_garbage
from airflow_mlflow_provider.client.retention import Retention
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.runtime.environments.lock import (
    EnvironmentLock,
    EnvironmentRequest,
    LockedFile,
    LockedPackage,
    Locks,
)
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord
from tests.flow_runs import FlowFile

SOURCE = """
class KeptFlow(FlowSpec):
    n = Parameter("n", default=3)
    fails = Parameter("fails", default=False)

    @step
    def start(self):
        self.large = bytes(400_000) + bytes([self.n % 256])
        self.small = {"n": self.n}
        self.next(self.work)

    @cache(ignore=["fails"])
    @step
    def work(self):
        self.result = [self.small["n"]] * 100_000
        self.next(self.end)

    @step
    def end(self):
        if self.fails:
            raise ValueError("asked to")
        self.answer = len(self.result)


if __name__ == "__main__":
    KeptFlow()
"""
EVERYTHING = Retention(older_than=0, keep_latest=0, grace=0)


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    """The flow above."""
    return FlowFile(tmp_path, SOURCE)


def collect(ledger: Ledger, **changes: object) -> Collected:
    """A collection without a grace period, which deletes at once."""
    return collect_garbage(ledger, msgspec.structs.replace(EVERYTHING, **changes))


def keys(ledger: Ledger) -> set[str]:
    """All objects of the store."""
    return {item.key for folder in ("flows", "blobs", "code", "cache") for item in ledger.store.list(folder)}


def done(ledger: Ledger, run: str) -> list[DoneRecord]:
    """The records of all tasks of a run."""
    return [
        record
        for step in ledger.steps("KeptFlow", run)
        for record in ledger.load_done(list(ledger.newest_done_keys("KeptFlow", run, step).values()))
    ]


def see_that_all_is_there(ledger: Ledger) -> None:
    """Load every artifact of every run that is listed; what is missing raises."""
    reader = ArtifactReader(ledger.store)
    for run in ledger.runs("KeptFlow"):
        for record in done(ledger, run):
            reader.load_many(record.artifacts)
        found = ledger.run("KeptFlow", run)
        ledger.blob(found.manifest)
        if found.code:
            ledger.code(found.code)


def test_runs_that_nothing_keeps_go_with_all_that_only_they_referred_to(flow: FlowFile) -> None:
    for _ in range(2):
        flow.run("--no-cache").succeeded()
    collected = collect(flow.ledger)

    assert (collected.kept, len(collected.deleted), collected.condemned) == (0, 2, ())
    assert keys(flow.ledger) == set()


def test_the_newest_runs_stay_whole(flow: FlowFile) -> None:
    for n in (1, 2, 3):
        flow.run("--n", str(n)).succeeded()
    newest = flow.ledger.latest("KeptFlow", 3)
    collected = collect(flow.ledger, keep_latest=2)

    assert collected.deleted == (f"KeptFlow/{newest[2]}",)
    assert flow.ledger.latest("KeptFlow", 3) == newest[:2]
    see_that_all_is_there(flow.ledger)
    # A blob for each kept run's large artifacts, its manifest, and the code that both share.
    assert not [key for key in keys(flow.ledger) if newest[2] in key]


def test_condemning_changes_nothing_but_the_listings_and_the_cache(flow: FlowFile) -> None:
    run = flow.run().succeeded().run
    before = {key for key in keys(flow.ledger) if not key.startswith(("cache/", "flows/KeptFlow/latest"))}
    patient = msgspec.structs.replace(EVERYTHING, grace=3600)
    first = collect_garbage(flow.ledger, patient)

    assert (first.condemned, first.deleted, first.objects) == ((f"KeptFlow/{run}",), (), 0)
    assert flow.ledger.latest("KeptFlow") == []
    assert before <= keys(flow.ledger)
    # Nothing is deleted before the grace period is over, however often one collects.
    again = collect_garbage(Ledger(flow.ledger.store), patient)
    assert (again.deleted, again.objects) == ((), 0)
    assert flow.run().succeeded().done("work").metadata["cache"].startswith("miss ")


def test_a_run_that_is_wanted_again_comes_back(flow: FlowFile) -> None:
    run = flow.run().succeeded().run
    collect_garbage(flow.ledger, msgspec.structs.replace(EVERYTHING, grace=3600))
    collect_garbage(Ledger(flow.ledger.store), Retention(older_than=3600, grace=3600))

    assert flow.ledger.latest("KeptFlow") == [run]
    assert flow.ledger.latest("KeptFlow", successful=True) == [run]


def test_a_dry_run_tells_and_changes_nothing(flow: FlowFile) -> None:
    flow.run().succeeded()
    before = keys(flow.ledger)
    told = collect_garbage(flow.ledger, EVERYTHING, dry_run=True)

    assert len(told.deleted) + len(told.condemned) == 1
    assert keys(flow.ledger) == before


def test_tags_and_namespaces_keep_runs(flow: FlowFile) -> None:
    tagged = flow.run("--tag", "champion").succeeded().run
    flow.run("--n", "5").succeeded()
    assert len(collect(flow.ledger, keep_tags=frozenset({"champion"})).deleted) == 1
    assert flow.ledger.latest("KeptFlow", 5) == [tagged]
    see_that_all_is_there(flow.ledger)
    assert collect(flow.ledger, namespace="user:somebody-else").deleted == ()
    assert len(collect(flow.ledger, namespace="user:tester").deleted) == 1


def test_what_a_resumed_run_took_over_stays_when_its_origin_goes(flow: FlowFile) -> None:
    origin = flow.run("--fails", "true").failed().run
    resumed = flow.run("--fails", "false", command="resume").succeeded().run
    collected = collect(flow.ledger, keep_latest=1)

    assert f"KeptFlow/{origin}" in collected.deleted
    assert flow.ledger.latest("KeptFlow", 5) == [resumed]
    see_that_all_is_there(flow.ledger)
    # And it can be resumed in its turn.
    again = flow.run("end", "--origin-run-id", resumed, command="resume").succeeded()
    assert again.value("answer") == 100_000
    assert flow.ledger.store.children(f"flows/KeptFlow/runs/{origin}/tasks/work")
    assert not flow.ledger.store.children(f"flows/KeptFlow/runs/{origin}/tasks/end")


def test_what_came_from_the_cache_stays_when_the_run_that_made_it_goes(flow: FlowFile) -> None:
    made = flow.run().succeeded().run
    taken = flow.run().succeeded()
    taken_run = taken.run
    assert taken.done("work").metadata["cache"].startswith("hit ")
    collect(flow.ledger, keep_latest=1)

    assert flow.ledger.latest("KeptFlow", 5) == [taken_run]
    see_that_all_is_there(flow.ledger)
    # With what it refers to: it inherited an artifact of `start`.
    assert "end" not in flow.ledger.store.children(f"flows/KeptFlow/runs/{made}/tasks")
    # The kept result was forgotten with its run: nobody takes over what is about to go.
    after = flow.run().succeeded()
    assert after.done("work").metadata["cache"].startswith("miss ")


def test_a_run_without_an_end_stays_while_it_may_be_running(flow: FlowFile) -> None:
    run = flow.run().succeeded()
    store = flow.ledger.store
    store.delete([f"flows/KeptFlow/runs/{run.run}/ended.json"])

    assert collect_garbage(flow.ledger, msgspec.structs.replace(EVERYTHING, grace=3600)).condemned == ()


def test_numbers_below_zero_are_refused() -> None:
    with pytest.raises(CommandException, match="keep_latest is -1"):
        Retention(older_than=1, keep_latest=-1)


def test_the_command_collects_and_tells(flow: FlowFile) -> None:
    flow.run().succeeded()
    arguments = [
        "--datastore-root",
        flow.store,
        "gc",
        "--older-than",
        "0",
        "--keep-latest",
        "0",
        "--grace",
        "0",
    ]
    assert run_console([*arguments, "--dry-run"]) == 0
    assert keys(flow.ledger)
    assert run_console(arguments) == 0
    assert keys(flow.ledger) == set()
    assert run_console([*arguments[:4], "soon"]) == 2


def lock_of(ledger: Ledger, name: str) -> EnvironmentLock:
    """A lock of one wheel that is in the store, and the wheel."""
    file = LockedFile(
        f"{name}-1-py3-none-any.whl", "https://example.org", hashlib.sha256(name.encode()).hexdigest()
    )
    ledger.store.put(file.key, name.encode())
    request = EnvironmentRequest("pypi", "3.11", (name,), ("linux-x86_64",))
    lock = EnvironmentLock(request, {"linux-x86_64": (LockedPackage(name, "1", (file,)),)}, stored=True)
    Locks(ledger.store).put(lock)
    return lock


def test_locks_and_wheels_go_when_no_run_that_is_kept_has_them(flow: FlowFile) -> None:
    ledger = flow.ledger
    locks = {name: lock_of(ledger, name) for name in ("kept", "gone", "shared")}
    for name in ("gone", "kept"):
        run = flow.run("--no-cache").succeeded()
        environments = {"start": locks[name].digest, "work": locks["shared"].digest}
        record = msgspec.structs.replace(run.record, environments=environments)
        ledger.store.put(f"flows/KeptFlow/runs/{run.run}/run.json", msgspec.json.encode(record))
    patient = msgspec.structs.replace(EVERYTHING, keep_latest=1, grace=3600)
    collect_garbage(Ledger(ledger.store), patient)
    assert all(Locks(ledger.store).of_request(lock.request) == lock for lock in locks.values())

    collect(ledger, keep_latest=1)
    found = Locks(ledger.store)
    assert {name for name, lock in locks.items() if found.of_request(lock.request)} == {"kept", "shared"}
    wheels = {item.key.rpartition("/")[2].partition("-")[0] for item in ledger.store.list("wheels")}
    assert wheels == {"kept", "shared"}
    assert len(list(ledger.store.list("environments"))) == 4


def test_a_lock_that_is_found_is_as_young_as_one_that_is_made(flow: FlowFile) -> None:
    ledger, long_ago = flow.ledger, time.time() - 3 * 86_400
    lock = lock_of(ledger, "old")
    for item in [*ledger.store.list("environments"), *ledger.store.list("wheels")]:
        os.utime(flow.folder / "store" / item.key, (long_ago, long_ago))
    assert Locks(ledger.store).of_request(lock.request) == lock
    collect_garbage(Ledger(ledger.store), msgspec.structs.replace(EVERYTHING, grace=2 * 86_400))
    assert Locks(ledger.store).of_request(lock.request) == lock
    assert len(list(ledger.store.list("wheels"))) == 1


@pytest.mark.parametrize("seed", range(2))
def test_runs_resumes_and_collections_at_random_never_lose_what_is_listed(flow: FlowFile, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(7):
        action = chance.choice(["run", "run", "fail", "resume", "collect"])
        if action == "run":
            flow.run("--n", str(chance.randrange(3))).succeeded()
        elif action == "fail":
            flow.run("--n", str(chance.randrange(3)), "--fails", "true").failed()
        elif action == "resume" and flow.ledger.latest("KeptFlow"):
            origin = chance.choice(flow.ledger.latest("KeptFlow", 9))
            flow.run("--fails", "false", "--origin-run-id", origin, command="resume").succeeded()
        else:
            collect(flow.ledger, keep_latest=chance.randrange(1, 4))
        see_that_all_is_there(flow.ledger)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["file", "s3"])
def test_collections_beside_runs_and_resumes_lose_nothing(
    flow: FlowFile, kind: str, request: pytest.FixtureRequest
) -> None:
    store = flow.store if kind == "file" else f"s3://{request.getfixturevalue('s3_bucket')}/store"
    shared, numbers = FlowFile(flow.folder / kind, SOURCE, store), itertools.count()
    ends, chance = time.monotonic() + 120, random.Random(0)
    # As in use, but for the amounts: runs are wanted for longer, and the grace period is longer, than a run and its resume take.
    # A blob is rewritten only when it is a day old, so no two runs have one in common but for code and manifest, which the newest has.
    retention = Retention(older_than=30, keep_latest=1, grace=30)

    def keep_running() -> int:
        count = 0
        while time.monotonic() < ends:
            fails = chance.random() < 0.5
            options = ("--n", str(next(numbers)), "--fails", str(fails).lower())
            ran = shared.run("--run-id-file", f"id-{threading.get_ident()}", *options)
            origin = (shared.folder / f"id-{threading.get_ident()}").read_text("utf-8")
            if fails:
                ran.failed()
                time.sleep(chance.random() * 2)
                shared.run("--fails", "false", "--origin-run-id", origin, command="resume").succeeded()
            else:
                ran.succeeded()
            count += 1
        return count

    deleted: set[str] = set()
    with ThreadPoolExecutor(2) as threads:
        counts = [threads.submit(keep_running) for _ in range(2)]
        while not all(count.done() for count in counts):
            deleted.update(collect_garbage(Ledger(shared.ledger.store), retention).deleted)
            time.sleep(chance.random())
        assert all(count.result() for count in counts)
    assert deleted
    see_that_all_is_there(shared.ledger)
    # What an age keeps, a number does not: only the newest run and what it took over are left.
    collect(Ledger(shared.ledger.store), keep_latest=1)
    assert len(list(shared.ledger.runs("KeptFlow"))) == 1
    see_that_all_is_there(Ledger(shared.ledger.store))
