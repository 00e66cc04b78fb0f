"""What S3 adds to the contract: lost answers, refusals, request counts, forks."""

import inspect
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import obstore.exceptions
import pytest

from airflow_mlflow_provider.exception import (
    MetaflowException,
    ObjectExists,
    StoreAccessDenied,
    StoreConflict,
    StoreException,
    StoreFull,
)
from airflow_mlflow_provider.store._object import ObjectStore
from airflow_mlflow_provider.store._object_errors import MAPPED, translate
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, BeginRecord, DoneRecord, RunEnd, RunRecord
from tests.services.s3 import S3Server
from tests.store.forked import Forked


@pytest.fixture
def store(s3_bucket: str) -> Iterator[Store]:
    store = open_store(f"s3://{s3_bucket}/root", cache=None)
    yield store
    store.close()


def test_every_error_of_obstore_is_one_of_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        theirs = {
            name: kind
            for name, kind in inspect.getmembers(obstore.exceptions, inspect.isclass)
            if issubclass(kind, BaseException)
        }
    assert len(theirs) >= 10
    assert not theirs.keys() - MAPPED.keys()
    for name, kind in theirs.items():
        error = translate(kind("text of the service"), "read", "the/key", "s3://b")
        assert type(error) is MAPPED[name]
        assert "the/key" in str(error)
        assert error.where == {"key": "the/key", "store": "s3://b"}


def test_the_error_says_what_the_service_said_and_no_more(
    store: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    s3_server.fail(403, bucket=s3_bucket, times=None)
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: store.get("a"),
        "write": lambda: store.put("a", b""),
        "list": lambda: store.children("a"),
        "delete": lambda: store.delete(["a"]),
    }
    for verb, call in calls.items():
        with pytest.raises(
            StoreAccessDenied, match=f"Could not {verb} 'a' in s3://{s3_bucket}/root: "
        ) as caught:
            call()
        assert isinstance(caught.value, PermissionError)
        assert "credentials" in caught.value.fix
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    with pytest.raises(StoreAccessDenied):
        list(store.list("a"))
    with pytest.raises(StoreAccessDenied):
        store.get_many(["a", "b"])
    with pytest.raises(StoreAccessDenied):
        store.put("a", b"", create=True)
    s3_server.clear_faults()


def test_a_full_service_is_told(
    store: Store, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES", "0")
    s3_server.fail(507, bucket=s3_bucket)
    with pytest.raises(StoreFull):
        store.put("a", b"1")


@pytest.mark.parametrize(
    "operation", ["GetObject", "PutObject", "ListObjects", "DeleteObjects", "HeadObject"]
)
def test_a_failure_that_passes_is_not_noticed(
    store: Store, s3_server: S3Server, s3_bucket: str, operation: str
) -> None:
    s3_server.fail(503, bucket=s3_bucket, operation=operation, times=2)
    store.put("a/b", b"1")
    assert store.get("a/b") == b"1"
    assert store.size("a/b") == 1
    assert [item.key for item in store.list("a")] == ["a/b"]
    store.delete(["a/b"])
    assert store.children("") == []
    assert {
        request.status for request in s3_server.requests(s3_bucket) if request.operation == operation
    } >= {503}


def test_retries_end(
    store: Store, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES", "2")
    s3_server.fail(500, bucket=s3_bucket, times=None)
    with pytest.raises(StoreException, match="Could not read 'a'"):
        store.get("a")
    s3_server.clear_faults()
    assert s3_server.counts(s3_bucket)["GetObject"] == 3


def test_a_bucket_that_is_not_there_is_not_an_absent_object(s3_bucket: str) -> None:
    store = open_store(f"s3://{s3_bucket}-nowhere/x", cache=None)
    for call in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: list(store.list("a"))):
        with pytest.raises(StoreException, match="no such bucket") as caught:
            call()
        assert not isinstance(caught.value, FileNotFoundError)
    store.close()


def test_a_creation_whose_answer_was_lost_succeeded(
    store: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    s3_server.fail(500, bucket=s3_bucket, operation="PutObject", applied=True)
    store.put("a", b"mine", create=True)
    assert store.get("a") == b"mine"
    with pytest.raises(ObjectExists):
        store.put("a", b"mine", create=True)


def test_a_replacement_whose_answer_was_lost_succeeded(
    store: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    store.put("a", b"1", create=True)
    _, version = store.get_versioned("a")
    s3_server.fail(500, bucket=s3_bucket, operation="PutObject", applied=True)
    store.replace("a", b"2", version)
    assert store.get("a") == b"2"
    with pytest.raises(StoreConflict):
        store.replace("a", b"3", version)


def test_a_creation_that_collided_with_one_that_failed_is_tried_again(
    store: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    s3_server.fail(409, bucket=s3_bucket, operation="PutObject")
    store.put("a", b"1", create=True)
    assert store.get("a") == b"1"


def test_no_credentials_at_all_is_told_soon(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    # Nobody listens there.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES", "1")
    with pytest.raises(StoreAccessDenied) as caught:
        store.get("a")
    assert "credentials" in caught.value.fix


def test_a_profile_in_the_home_folder_is_used(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[team]\naws_access_key_id = key\naws_secret_access_key = secret\n")
    (tmp_path / "config").write_text("[profile team]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    store.put("a", b"1")
    assert store.get("a") == b"1"


def test_the_endpoint_and_the_encryption_are_configured(
    store: Store, monkeypatch: pytest.MonkeyPatch, s3_server: S3Server, s3_bucket: str
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__S3_ENDPOINT_URL", s3_server.endpoint_url)
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__S3_SSE", "aws:kms:some-key")
    store.put("a", b"1")
    import boto3

    client = boto3.client("s3", endpoint_url=s3_server.endpoint_url)
    head = client.head_object(Bucket=s3_bucket, Key="root/a")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "some-key")


def test_each_call_is_one_request(store: Store, s3_server: S3Server, s3_bucket: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "PutObject": lambda: store.put("a/b", [b"1"] * 100),
        "GetObject": lambda: store.get("a/b", start=5, length=7),
        "HeadObject": lambda: store.info("a/b"),
        "ListObjects": lambda: list(store.list("a", limit=1)),
        "DeleteObjects": lambda: store.delete([f"a/{number}" for number in range(100)]),
    }
    expected = s3_server.counts(s3_bucket).total()
    for operation, call in calls.items():
        call()
        expected += 1
        counts = s3_server.counts(s3_bucket)
        assert (counts[operation], counts.total()) == (1, expected)
    store.children("a")
    store.put("a/c", b"", create=True)
    assert s3_server.counts(s3_bucket).total() == expected + 2


def test_a_linear_run_of_three_steps_is_twenty_requests(
    s3: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    """What a run must ask of the store at least; the runtime's own test counts what it does ask."""
    ledger = Ledger(s3)
    manifest = ledger.put_blob(b"manifest")
    ledger.put_code("c" * 64, b"code")
    ledger.create_run(RunRecord("F", "r", time.time(), "ada", {}, manifest, "c" * 64))
    previous: AttemptKey | None = None
    for step in ("start", "middle", "end"):
        key = AttemptKey("F", "r", step, "0", 0)
        ledger.begin(BeginRecord(key, time.time(), "host", 1))
        artifacts = {} if previous is None else ledger.load_done([previous])[0].artifacts
        loaded = ArtifactReader(s3).load_many(artifacts)
        writer = ArtifactWriter(s3, f"{key.prefix}/pack")
        entries = {name: writer.add(name, value, previous=artifacts[name]) for name, value in loaded.items()}
        entries |= {f"{step}_{number}": writer.add("x", [step, number]) for number in range(50)}
        writer.flush()
        ledger.append_log(key, "stdout", 0, b"log")
        ledger.commit(DoneRecord(key, "succeeded", 0, 1, artifacts=entries))
        previous = key
    ledger.end_run("F", "r", RunEnd("succeeded", time.time()))
    counts = s3_server.counts(s3_bucket)
    assert counts.total() - counts["CreateBucket"] <= 20, counts
    assert counts["HeadObject"] == 0
    assert len(list(s3.list(f"{AttemptKey('F', 'r', 'end', '0', 0).prefix}"))) <= 6


def test_the_latest_of_many_runs_is_one_request(store: Store, s3_server: S3Server, s3_bucket: str) -> None:
    ledger = Ledger(store)
    for number in range(30):
        ledger.create_run(RunRecord("F", f"r{number}", 1.7e9 + number, "ada", {}, "m"))
    before = s3_server.counts(s3_bucket).total()
    assert ledger.latest("F") == ["r29"]
    assert ledger.latest("F", 10)[-1] == "r20"
    assert s3_server.counts(s3_bucket).total() == before + 2


def test_a_step_of_many_tasks_is_one_paged_listing(store: Store, s3_server: S3Server, s3_bucket: str) -> None:
    ledger = Ledger(store)
    records = [
        DoneRecord(AttemptKey("F", "r", "s", f"{number:04d}", 0), "succeeded", 0, 1) for number in range(1100)
    ]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(ledger.commit, records))
    before = s3_server.counts(s3_bucket)
    keys = ledger.newest_done_keys("F", "r", "s")
    assert list(keys) == [f"{number:04d}" for number in range(1100)]
    assert (s3_server.counts(s3_bucket) - before)["ListObjects"] == 2
    assert len(ledger.load_done(list(keys.values()))) == 1100


def test_a_store_that_was_used_works_in_a_forked_process(
    store: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    store.put("parent", b"1")

    def use() -> tuple[bytes, list[str], str]:
        store.put("child", [b"2"] * 10)
        with pytest.raises(ObjectExists) as caught:
            store.put("child", b"3", create=True)
        store.put("large", bytes(20 << 20))
        assert len(store.get("large")) == 20 << 20
        # A child of the child has a helper of its own.
        assert Forked(lambda: bytes(store.get("child"))).result() == b"2" * 10
        assert store.get_many(["parent", "absent"]) == [b"1", None]
        other = open_store(store.url, cache=None)
        return bytes(other.get("parent")), [item.key for item in store.list("")], str(caught.value)

    assert Forked(use).result() == (
        b"1",
        ["child", "large", "parent"],
        f"'child' exists already in {store.url}.",
    )
    assert store.get("child") == b"2" * 10


def test_a_store_made_before_a_fork_is_used_directly_if_the_parent_did_not_use_it(s3_bucket: str) -> None:
    # In a process of its own: this one has used the client long ago.
    import subprocess
    import sys

    script = f"""
import os, sys
from airflow_mlflow_provider.store._object import ObjectStore
from airflow_mlflow_provider.store.location import open_store
store = open_store("s3://{s3_bucket}/x", cache=None)
pid = os.fork()
if pid == 0:
    store.put("a", b"1")
    assert isinstance(store._made[1], ObjectStore)
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1])
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_helper_that_is_killed_is_told_and_replaced(store: Store) -> None:
    store.put("a", b"1")

    def use() -> str:
        from airflow_mlflow_provider.store._broker import BrokeredStore

        assert store.get("a") == b"1"
        broker = store._made[1]  # type: ignore[attr-defined]
        assert isinstance(broker, BrokeredStore)
        assert broker._helper is not None
        broker._helper.process.kill()
        with pytest.raises(StoreException) as caught:
            store.get("a")
        assert store.get("a") == b"1"
        return str(caught.value)

    assert "has died with exit code -9" in Forked(use).result()


def test_a_helper_ends_with_the_process_it_serves(store: Store) -> None:
    store.put("a", b"1")

    def use() -> int:
        store.get("a")
        pid: int = store._made[1]._helper.process.pid  # type: ignore[attr-defined]
        return pid

    helper = Forked(use).result()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{helper}/cmdline").exists() and Path(f"/proc/{helper}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_large_artifacts_travel_in_pieces(store: Store, s3_server: S3Server, s3_bucket: str) -> None:
    array = np.random.default_rng(1).random(5_000_000)
    writer = ArtifactWriter(store, "pack")
    entry = writer.add("a", array)
    writer.flush()
    assert (ArtifactReader(store).load("a", entry) == array).all()
    counts = s3_server.counts(s3_bucket)
    assert counts["UploadPart"] >= 4


def test_threads_share_a_store(s3_bucket: str) -> None:
    store = ObjectStore("s3", s3_bucket, "x")
    errors: list[MetaflowException] = []

    def use(number: int) -> None:
        try:
            store.put(f"{number}", b"1")
            store.get(f"{number}")
        except MetaflowException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(store.children("")) == 20
    store.close()
    assert os.getpid()


def test_google_and_azure_are_reached_where_they_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody listens there: the client was made, and its error is one of ours.
    key = {
        "gcs_base_url": "https://127.0.0.1:9",
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
    }
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(key | {"private_key_id": ""}))
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "https://127.0.0.1:9/account")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES", "0")
    for url in ("gs://bucket/x", "az://container/x"):
        store = open_store(url, cache=None)
        with pytest.raises(StoreException, match=f"Could not read 'a' in {url}: .*127.0.0.1:9") as caught:
            store.get("a")
        assert type(caught.value) is StoreException
        store.close()


def test_azure_without_an_account_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(StoreException, match="Account must be specified") as caught:
        open_store("az://container/x", cache=None).get("a")
    assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.fix
