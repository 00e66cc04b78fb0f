"""Records on a store: the commit protocol, the index of runs, attempts, logs."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from airflow_mlflow_provider.exception import (
    CorruptedDataException,
    MetaflowDataMissing,
    MetaflowNotFound,
    ObjectExists,
    ObjectNotFound,
    UnreadableArtifactException,
)
from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.blobs import REFRESH_SECONDS, blob_key, code_key
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import (
    ArtifactEntry,
    AttemptKey,
    BeginRecord,
    DoneRecord,
    ExceptionRecord,
    Frame,
    Outcome,
    RunEnd,
    RunRecord,
    SplitValues,
    TakenTransition,
)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


def run_record(run: str, created_at: float = 1.7e9, flow: str = "Flow") -> RunRecord:
    return RunRecord(flow, run, created_at, "ada", {"alpha": 0.5, "names": ["a"]}, "digest", tags=("t",))


def done_record(key: AttemptKey, outcome: Outcome = "succeeded", **fields: Any) -> DoneRecord:
    return DoneRecord(key, outcome, 1.5, 2.5, **fields)


def attempt(task: str = "0", number: int = 0, step: str = "start", run: str = "r1") -> AttemptKey:
    return AttemptKey("Flow", run, step, task, number)


def test_a_run_reads_back_as_it_was_created(ledger: Ledger) -> None:
    record = run_record("r1")
    ledger.create_run(record)
    assert ledger.run("Flow", "r1") == record
    assert ledger.flows() == ["Flow"]


def test_a_run_is_created_once(ledger: Ledger) -> None:
    ledger.create_run(run_record("r1"))
    with pytest.raises(ObjectExists):
        ledger.create_run(run_record("r1", created_at=1.8e9))
    assert ledger.run("Flow", "r1").created_at == 1.7e9
    assert ledger.latest("Flow", 5) == ["r1"]


def test_a_run_that_is_not_there_is_told_with_what_is(ledger: Ledger) -> None:
    with pytest.raises(MetaflowNotFound, match="holds no flow at all"):
        ledger.run("Flow", "r1")
    for number in range(5):
        ledger.create_run(run_record(f"r{number}", 1.7e9 + number))
    with pytest.raises(MetaflowNotFound, match="newest runs are r4, r3, r2") as caught:
        ledger.run("Flow", "r9")
    assert isinstance(caught.value, LookupError)
    with pytest.raises(MetaflowNotFound, match="has the flows Flow"):
        ledger.run("Flaw", "r1")


def test_runs_are_listed_newest_first(ledger: Ledger) -> None:
    # Far apart and in the same millisecond, with ids whose order is no help.
    times = {"z": 1.7e9, "a-b-c": 1.7e9 + 0.001, "m": 1.7e9 + 40_000, "b.1": 1.9e9, "c": 1.6e9, "aa": 1.7e9}
    for run, created_at in times.items():
        ledger.create_run(run_record(run, created_at))
    assert list(ledger.runs("Flow")) == ["b.1", "m", "a-b-c", "aa", "z", "c"]
    assert ledger.latest("Flow") == ["b.1"]
    assert ledger.latest("Flow", 3) == ["b.1", "m", "a-b-c"]
    assert ledger.latest("Other", 3) == list(ledger.runs("Other")) == []


def test_the_newest_success_is_found_whatever_failed_since(ledger: Ledger) -> None:
    for number in range(4):
        ledger.create_run(run_record(f"r{number}", 1.7e9 + number))
    assert ledger.run_end("Flow", "r1") is None
    # In another order than they were created.
    for run, status in (("r2", "succeeded"), ("r0", "succeeded"), ("r3", "failed")):
        ledger.end_run("Flow", run, RunEnd(status, 5.0))  # type: ignore[arg-type]
    assert ledger.latest("Flow", 5, successful=True) == ["r2", "r0"]
    assert ledger.run_end("Flow", "r3") == RunEnd("failed", 5.0)


def test_the_last_verdict_on_a_run_counts(ledger: Ledger) -> None:
    ledger.create_run(run_record("r1"))
    ledger.end_run("Flow", "r1", RunEnd("succeeded", 5.0))
    ledger.end_run("Flow", "r1", RunEnd("failed", 6.0, "cleared and failed", ("Flow/r1/start/0",)))
    assert ledger.latest("Flow", successful=True) == []
    assert ledger.run_end("Flow", "r1") == RunEnd("failed", 6.0, "cleared and failed", ("Flow/r1/start/0",))
    ledger.end_run("Flow", "r1", RunEnd("succeeded", 7.0))
    assert ledger.latest("Flow", successful=True) == ["r1"]


def test_a_verdict_needs_a_run(ledger: Ledger) -> None:
    with pytest.raises(MetaflowNotFound):
        ledger.end_run("Flow", "r1", RunEnd("succeeded", 5.0))


def test_a_full_record_survives(ledger: Ledger) -> None:
    entry = ArtifactEntry(
        "ab" * 32, 10, "pickle5", "int", "pack", 64, 10, "zstd", {"repr": "grüße", "head": [1, None]}
    )
    record = done_record(
        attempt("0002-0007", 3),
        index_path=(2, 7),
        iteration=4,
        frames=(Frame("start", "rows", 2, 3, "two"), Frame("gang", None, 7, 8)),
        parents=(attempt("0002"), attempt("0003", 1)),
        transition=TakenTransition(
            ("a", "b"), "xs", 3, ("x", "y", "z"), SplitValues(entry, (0, 4, 8, 12), "pickle5")
        ),
        artifacts={"x": entry, "_private": entry},
        reads=("alpha",),
        exception=ExceptionRecord("builtins.ValueError", 'no $5 `x` "quoted" 🙂\0', "Traceback"),
        metadata={"a": "b"},
    )
    ledger.commit(record)
    assert ledger.done(record.key) == record
    assert ledger.load_done([record.key]) == [record]


def test_an_attempt_that_only_began_is_not_done(ledger: Ledger) -> None:
    ledger.begin(BeginRecord(attempt(), time.time(), "host", 1))
    assert ledger.done(attempt()) is None
    assert ledger.newest_done("Flow", "r1", "start", "0") is None
    assert ledger.newest_done_keys("Flow", "r1", "start") == {}
    assert ledger.attempts("Flow", "r1", "start", "0") == [0]
    assert ledger.begun(attempt()) is not None
    assert ledger.begun(attempt(number=1)) is None


def test_an_unused_attempt_is_new_to_all_tasks_of_a_step(ledger: Ledger) -> None:
    assert ledger.unused_attempt("F", "r", "train") == 0
    for task, attempt in (("0000", 0), ("0001", 4), ("0002", 1)):
        ledger.begin(BeginRecord(AttemptKey("F", "r", "train", task, attempt), 1.0, "host", 1))
    ledger.begin(BeginRecord(AttemptKey("F", "r", "training", "0000", 9), 1.0, "host", 1))
    assert ledger.unused_attempt("F", "r", "train") == 5


def test_an_attempt_commits_once(ledger: Ledger) -> None:
    ledger.commit(done_record(attempt(), "failed"))
    with pytest.raises(ObjectExists, match="Attempt 0 of Flow/r1/start/0 is done already"):
        ledger.commit(done_record(attempt(), "succeeded"))
    found = ledger.done(attempt())
    assert found is not None
    assert found.outcome == "failed"


def test_the_newest_done_attempt_is_the_one_that_is_read(ledger: Ledger) -> None:
    for number in (0, 2, 10):
        ledger.commit(done_record(attempt("0001", number)))
    ledger.begin(BeginRecord(attempt("0001", 11), 0, "host", 1))
    ledger.commit(done_record(attempt("0000", 1)))
    ledger.commit(done_record(attempt("0001", 12, step="other")))
    newest = ledger.newest_done("Flow", "r1", "start", "0001")
    assert newest is not None
    assert newest.key.attempt == 10
    assert ledger.newest_done_keys("Flow", "r1", "start") == {
        "0000": attempt("0000", 1),
        "0001": attempt("0001", 10),
    }
    assert ledger.attempts("Flow", "r1", "start", "0001") == [0, 2, 10, 11]


def test_records_load_in_the_order_asked_for_and_a_missing_one_is_named(ledger: Ledger) -> None:
    keys = [attempt(task_id((number,))) for number in range(30)]
    for key in keys:
        ledger.commit(done_record(key))
    assert [record.key for record in ledger.load_done(keys[::-1])] == keys[::-1]
    assert ledger.load_done([]) == []
    with pytest.raises(MetaflowDataMissing, match="Attempt 0 of Flow/r1/start/0099"):
        ledger.load_done([keys[0], attempt("0099")])


def test_steps_and_tasks_are_listed(ledger: Ledger) -> None:
    ledger.create_run(run_record("r1"))
    assert ledger.steps("Flow", "r1") == []
    for step, task in (("start", "0"), ("body", "0000"), ("body", "a10000"), ("body", "9999"), ("join", "0")):
        ledger.begin(BeginRecord(attempt(task, step=step), 0, "host", 1))
    assert ledger.steps("Flow", "r1") == ["body", "join", "start"]
    assert ledger.tasks("Flow", "r1", "body") == ["0000", "9999", "a10000"]


def test_a_blob_is_kept_under_its_digest_and_verified(ledger: Ledger) -> None:
    digest = ledger.put_blob(b"manifest")
    assert ledger.put_blob(b"manifest") == digest
    assert ledger.blob(digest) == b"manifest"
    with pytest.raises(ObjectNotFound):
        ledger.blob("0" * 64)


def test_a_damaged_blob_is_detected(local: Store) -> None:
    ledger = Ledger(local)
    digest = ledger.put_blob(b"manifest")
    local.put(blob_key(digest), b"manifesto")
    with pytest.raises(CorruptedDataException, match=digest):
        ledger.blob(digest)


def test_a_code_package_is_written_once(memory: Store) -> None:
    ledger = Ledger(memory)
    assert ledger.put_code("abc", b"code")
    assert not ledger.put_code("abc", b"code")
    assert ledger.code("abc") == b"code"
    with pytest.raises(ObjectNotFound):
        ledger.code("abd")


def test_an_old_blob_is_written_again_so_that_no_sweep_takes_it(
    local: Store, set_age: Callable[[str, float], None]
) -> None:
    ledger = Ledger(local)
    assert ledger.put_code("abc", b"code")
    set_age(code_key("abc"), REFRESH_SECONDS + 60)
    assert ledger.put_code("abc", b"code")
    found = local.info(code_key("abc"))
    assert found is not None
    assert time.time() - found.modified < 60


@pytest.fixture
def set_age(local: Store) -> Callable[[str, float], None]:
    import os

    def set_age(key: str, seconds: float) -> None:
        path = local.local_path(key)
        assert path is not None
        os.utime(path, (time.time() - seconds,) * 2)

    return set_age


def test_a_log_is_its_chunks_in_order(ledger: Ledger) -> None:
    assert ledger.read_log(attempt(), "stdout") == b""
    chunks = {0: b"first ", 1: b"second ", 9999: b"almost ", 10_000: b"last"}
    for chunk in (10_000, 0, 1, 9999):
        ledger.append_log(attempt(), "stdout", chunk, chunks[chunk])
    ledger.append_log(attempt(), "stderr", 0, b"error")
    ledger.append_log(attempt(), "stdout", 1, b"SECOND ")
    assert ledger.read_log(attempt(), "stdout") == b"first SECOND almost last"
    assert ledger.read_log(attempt(), "stderr") == b"error"


def test_a_record_that_is_no_json_is_corrupted(memory: Store) -> None:
    for damaged in (b"", b"{", b"[]", b'{"key":1}', b"\xff"):
        memory.put(f"{attempt().prefix}/done.json", damaged)
        with pytest.raises(CorruptedDataException, match=r"done\.json"):
            Ledger(memory).done(attempt())


def test_a_record_of_a_later_version_says_what_to_update(memory: Store) -> None:
    record = msgspec.structs.replace(done_record(attempt()), version=99)
    memory.put(f"{attempt().prefix}/done.json", msgspec.json.encode(record))
    with pytest.raises(UnreadableArtifactException, match="version 99"):
        Ledger(memory).done(attempt())


def test_the_latest_run_is_found_among_many(local: Store) -> None:
    ledger = Ledger(local)
    for number in range(2000):
        ledger.create_run(run_record(f"r{number}", 1.7e9 + number))
    assert ledger.latest("Flow") == ["r1999"]


class CommitProtocol(RuleBasedStateMachine):
    """Attempts of two tasks by writers that may stop anywhere, against what a reader may see.

    A writer writes its artifacts, flushes, and commits; other writers may take themselves for the same attempt.
    """

    @initialize()
    def begin(self) -> None:
        self.ledger = Ledger(open_store(f"memory://{uuid.uuid4().hex}"))
        self.flushed: list[tuple[AttemptKey, int, ArtifactEntry]] = []
        self.committed: dict[AttemptKey, int] = {}
        self.values = 0

    tasks = st.sampled_from(["0000", "0001"])
    numbers = st.integers(0, 3)

    @rule(task=tasks, number=numbers)
    def start(self, task: str, number: int) -> None:
        self.ledger.begin(BeginRecord(attempt(task, number), 0, "host", 1))

    @rule(task=tasks, number=numbers, flush=st.booleans())
    def write(self, task: str, number: int, flush: bool) -> None:
        key = attempt(task, number)
        writer = ArtifactWriter(self.ledger.store, f"{key.prefix}/pack", mode="none")
        self.values += 1
        entry = writer.add("x", [self.values, "filling" * 3])
        if flush:
            writer.flush()
            self.flushed.append((key, self.values, entry))

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        if not self.flushed:
            return
        key, value, entry = data.draw(st.sampled_from(self.flushed))
        record = done_record(key, artifacts={"x": entry})
        if key in self.committed:
            with pytest.raises(ObjectExists):
                self.ledger.commit(record)
        else:
            self.ledger.commit(record)
            self.committed[key] = value

    @invariant()
    def readers_see_the_newest_commit_and_nothing_else(self) -> None:
        newest = {}
        for key in sorted(self.committed):
            newest[key.task] = key
        assert self.ledger.newest_done_keys("Flow", "r1", "start") == newest
        reader = ArtifactReader(self.ledger.store)
        for task in ("0000", "0001"):
            record = self.ledger.newest_done("Flow", "r1", "start", task)
            assert (record.key if record else None) == newest.get(task)
            if record is not None:
                assert reader.load("x", record.artifacts["x"])[0] == self.committed[record.key]

    @invariant()
    def no_commit_is_ever_undone(self) -> None:
        records = self.ledger.load_done(list(self.committed))
        assert [record.key for record in records] == list(self.committed)


TestCommitProtocol = CommitProtocol.TestCase
TestCommitProtocol.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
