"""The node-local cache in front of a remote store."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from airflow_mlflow_provider.exception import ObjectExists, ObjectNotFound, StoreAccessDenied
from airflow_mlflow_provider.store._cache import CachedStore
from airflow_mlflow_provider.store._remote import RemoteStore
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.location import open_store
from tests.services.s3 import S3Server
from tests.store.forked import Forked

BLOB = "blobs/ab/abcdef"
ATTEMPT = "flows/F/runs/r/tasks/s/0/0"
KEPT = [BLOB, "code/abc.tar.zst", "flows/F/runs/r/run.json", f"{ATTEMPT}/done.json", f"{ATTEMPT}/pack-1a2b"]
NOT_KEPT = [
    "flows/F/runs/r/ended.json",
    f"{ATTEMPT}/begin.json",
    f"{ATTEMPT}/stdout-0000",
    "flows/F/runs/r/tags.json",
    "cache/x.json",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "node-cache"


def reads(server: S3Server, bucket: str) -> int:
    return server.counts(bucket)["GetObject"]


@pytest.mark.parametrize("key", KEPT)
def test_what_never_changes_is_read_from_this_machine(
    s3: Store, s3_server: S3Server, s3_bucket: str, key: str
) -> None:
    s3.put(key, b"0123456789", create=True)
    assert s3.get(key) == b"0123456789"
    assert s3.get(key, start=2, length=3) == b"234"
    assert s3.get_many([key]) == [b"0123456789"]
    path = s3.local_path(key)
    assert path is not None
    assert path.read_bytes() == b"0123456789"
    assert reads(s3_server, s3_bucket) == 0


@pytest.mark.parametrize("key", NOT_KEPT)
def test_what_may_change_is_always_asked_for(
    s3: Store, s3_server: S3Server, s3_bucket: str, key: str
) -> None:
    s3.put(key, b"1")
    open_store(s3.url, cache=None).put(key, b"2")
    assert bytes(s3.get(key)) == b"2"
    assert [bytes(data or b"") for data in s3.get_many([key])] == [b"2"]
    assert s3.local_path(key) is None


def test_what_another_machine_put_is_fetched_once(s3: Store, s3_server: S3Server, s3_bucket: str) -> None:
    elsewhere = open_store(s3.url, cache=None)
    keys = [f"blobs/ab/{number}" for number in range(3)]
    for key in keys:
        elsewhere.put(key, key.encode())
    for _ in range(2):
        assert bytes(s3.get(keys[0])) == keys[0].encode()
        assert [bytes(data or b"") for data in s3.get_many(keys)] == [key.encode() for key in keys]
    assert reads(s3_server, s3_bucket) == 3


def test_a_large_object_is_fetched_into_the_folder_and_mapped(
    s3: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    array = np.random.default_rng(1).random(4_000_000)
    elsewhere = open_store(s3.url, cache=None)
    writer = ArtifactWriter(elsewhere, f"{ATTEMPT}/pack")
    entry = writer.add("a", array)
    writer.flush()
    loaded = ArtifactReader(s3).load("a", entry)
    assert (loaded == array).all()
    first = reads(s3_server, s3_bucket)
    loaded[:] = 0
    assert (ArtifactReader(s3).load("a", entry) == array).all()
    assert reads(s3_server, s3_bucket) == first > 1


def test_a_part_of_an_object_that_is_not_here_is_asked_for_alone(
    s3: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    open_store(s3.url, cache=None).put(BLOB, b"0123456789")
    assert bytes(s3.get(BLOB, start=2, length=3)) == b"234"
    assert bytes(s3.get(BLOB)) == b"0123456789"


def test_processes_share_the_folder(s3: Store, s3_server: S3Server, s3_bucket: str) -> None:
    s3.put(BLOB, b"1")
    assert Forked(lambda: bytes(s3.get(BLOB))).result() == b"1"
    assert reads(s3_server, s3_bucket) == 0


def test_a_put_that_was_refused_is_not_kept(s3: Store, s3_server: S3Server, s3_bucket: str) -> None:
    open_store(s3.url, cache=None).put(BLOB, b"theirs")
    with pytest.raises(ObjectExists):
        s3.put(BLOB, b"mine", create=True)
    assert bytes(s3.get(BLOB)) == b"theirs"
    s3_server.fail(403, bucket=s3_bucket, operation="PutObject")
    with pytest.raises(StoreAccessDenied):
        s3.put("blobs/x", b"1")
    with pytest.raises(ObjectNotFound):
        s3.get("blobs/x")


def test_absence_is_not_kept(s3: Store) -> None:
    with pytest.raises(ObjectNotFound):
        s3.get(BLOB)
    assert s3.local_path(BLOB) is None
    open_store(s3.url, cache=None).put(BLOB, b"1")
    assert bytes(s3.get(BLOB)) == b"1"


def test_a_delete_is_seen(s3: Store) -> None:
    s3.put(BLOB, b"1")
    s3.delete([BLOB])
    with pytest.raises(ObjectNotFound):
        s3.get(BLOB)


def test_an_error_of_the_store_is_not_taken_for_one_of_the_folder(
    s3: Store, s3_server: S3Server, s3_bucket: str
) -> None:
    open_store(s3.url, cache=None).put(BLOB, b"1")
    s3_server.fail(403, bucket=s3_bucket)
    with pytest.raises(StoreAccessDenied):
        s3.local_path(BLOB)
    path = s3.local_path(BLOB)
    assert path is not None
    assert path.read_bytes() == b"1"


def test_a_folder_that_cannot_be_used_is_done_without(s3_bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_store(f"s3://{s3_bucket}/x", cache=tmp_path / "file" / "cache")
    for number in range(2):
        store.put(f"blobs/{number}", b"1")
        assert bytes(store.get(f"blobs/{number}")) == b"1"
        assert store.local_path(f"blobs/{number}") is None
    store.close()


def test_the_folder_stays_below_its_limit_and_keeps_what_was_used(s3_bucket: str, folder: Path) -> None:
    store = CachedStore(RemoteStore("s3", s3_bucket, "x"), folder, limit=1_000_000)
    for number in range(8):
        store.put(f"blobs/{number}", bytes(100_000))
        age = 7200 - number
        os.utime(folder / f"blobs/{number}", (time.time() - age,) * 2)
    store.get("blobs/0")
    for number in range(8, 12):
        store.put(f"blobs/{number}", bytes(100_000))
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 1_000_000
    kept = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"0", "11"} <= kept
    assert not {"1", "2"} & kept
    assert bytes(store.get("blobs/1")) == bytes(100_000)
    store.close()


def test_nothing_is_kept_where_the_limit_is_zero(s3_bucket: str, folder: Path) -> None:
    store = CachedStore(RemoteStore("s3", s3_bucket, "x"), folder, limit=0)
    store.put(BLOB, b"1")
    assert bytes(store.get(BLOB)) == b"1"
    assert not folder.exists()
    store.close()


def test_an_object_larger_than_the_limit_is_not_kept(s3_bucket: str, folder: Path) -> None:
    store = CachedStore(RemoteStore("s3", s3_bucket, "x"), folder, limit=1000)
    store.put(BLOB, bytes(2000))
    assert not list(folder.rglob("abcdef"))
    assert bytes(store.get(BLOB)) == bytes(2000)
    store.close()


def test_a_file_that_is_evicted_while_mapped_stays_readable(s3: Store) -> None:
    array = np.random.default_rng(1).random(100_000)
    writer = ArtifactWriter(s3, f"{ATTEMPT}/pack")
    entry = writer.add("a", array)
    writer.flush()
    loaded = ArtifactReader(s3).load("a", entry)
    assert isinstance(s3, CachedStore)
    for path in s3.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    assert (loaded == array).all()
