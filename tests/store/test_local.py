"""What a folder adds to the contract: real disks fill up, processes die, users lack rights."""

import itertools
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.exception import ObjectExists, StoreAccessDenied, StoreException, StoreFull
from airflow_mlflow_provider.store._local import LocalStore, write_parts
from airflow_mlflow_provider.store.artifacts import ArtifactWriter
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord
from tests.store.forked import Forked

MEGABYTE = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def writing(root: Path) -> list[Path]:
    return [path for path in (root / ".writing").glob("*") if path.is_file()]


def test_of_many_processes_that_commit_one_attempt_exactly_one_wins(root: Path) -> None:
    ledger = Ledger(LocalStore(root))
    reader, writer = os.pipe()
    for number in range(4):
        key = AttemptKey("F", "r", "s", "0", number)

        def commit(key: AttemptKey = key) -> int | None:
            os.read(reader, 1)  # all start at once
            try:
                ledger.commit(DoneRecord(key, "succeeded", 0, os.getpid()))
            except ObjectExists:
                return None
            return os.getpid()

        processes = [Forked(commit) for _ in range(16)]
        os.write(writer, b"x" * 16)
        winners = [pid for pid in (process.result() for process in processes) if pid is not None]
        assert len(winners) == 1
        found = ledger.done(key)
        assert found is not None
        assert found.ended_at == winners[0]
    assert not writing(root)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("create", [False, True])
def test_a_writer_killed_in_a_put_leaves_no_part_of_an_object(root: Path, create: bool) -> None:
    store = LocalStore(root)
    # Parts, so that many writes can be cut short.
    parts = [bytes([number]) * 20_000 for number in range(200)]
    whole = b"".join(parts)

    def write() -> None:
        for number in itertools.count():
            store.put(f"{os.getpid()}/{number}", parts, create=create)

    for _ in range(15):
        process = Forked(write)
        deadline = time.monotonic() + 30
        while not store.children(str(process.pid)):
            assert time.monotonic() < deadline
        time.sleep(random.random() * 0.02)
        process.kill()
        for item in store.list(""):
            assert item.size == len(whole)
        last = [*store.list(str(process.pid))][-1]
        assert store.get(last.key) == whole
        store.delete([item.key for item in store.list("")])
    assert [*store.list("")] == []
    assert store.children("") == []


def test_what_dead_writers_left_is_removed_after_a_day(root: Path) -> None:
    LocalStore(root).put("a", b"1")
    old, new = root / ".writing" / "1-1-old", root / ".writing" / "1-1-new"
    for path, age in ((old, 25 * 3600), (new, 3600)):
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
    LocalStore(root).put("b", b"2")
    assert writing(root) == [new]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_told_and_leaves_the_store_as_it_was(small_disk: Path) -> None:
    store = LocalStore(small_disk / "store")
    store.put("kept", b"k" * MEGABYTE)
    with pytest.raises(StoreFull, match=r"'large' in file:.*No space left") as caught:
        store.put("large", [b"x" * MEGABYTE] * 8)
    assert isinstance(caught.value, OSError)
    assert caught.value.fix
    assert [item.key for item in store.list("")] == ["kept"]
    assert not writing(small_disk / "store")
    store.put("fits", b"x" * MEGABYTE)
    assert store.get("kept") == b"k" * MEGABYTE


def test_a_full_disk_fails_the_attempt_before_its_commit(small_disk: Path) -> None:
    ledger = Ledger(LocalStore(small_disk / "store"))
    writer = ArtifactWriter(ledger.store, "flows/F/runs/r/tasks/s/0/0/pack")

    def save() -> None:
        for number in range(100):
            writer.add(f"x{number}", os.urandom(200_000))
        writer.flush()

    with pytest.raises(StoreFull):
        save()
    assert ledger.newest_done("F", "r", "s", "0") is None


def test_a_limit_on_the_size_of_files_is_told_as_a_full_store(root: Path) -> None:
    store = LocalStore(root)
    store.put("small", b"1")

    def put() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE))
        with pytest.raises(StoreFull) as caught:
            store.put("large", b"x" * 2 * MEGABYTE)
        return str(caught.value)

    assert "File too large" in Forked(put).result()
    assert [item.key for item in store.list("")] == ["small"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without rights")
def test_a_folder_without_access_is_told(root: Path) -> None:
    store = LocalStore(root)
    store.put("a/b", b"1")
    (root / "a").chmod(0o700)
    for folder in (root, *root.parents):
        if folder.owner() == "root" and folder != Path("/") and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)

    def use() -> list[str]:
        os.seteuid(65534)
        told = []
        for call in (lambda: store.put("c", b"2"), lambda: store.get("a/b"), lambda: store.children("a")):
            with pytest.raises(StoreAccessDenied) as caught:
                call()
            assert isinstance(caught.value, PermissionError)
            told.append(str(caught.value))
        return told

    told = Forked(use).result()
    assert "Could not write 'c'" in told[0]
    assert "Could not read 'a/b'" in told[1]
    assert "Could not list 'a/'" in told[2]


def test_an_object_in_the_way_of_a_folder_is_an_error_of_the_write(root: Path) -> None:
    store = LocalStore(root)
    store.put("a", b"1")
    with pytest.raises(StoreException, match="Could not write 'a/b'"):
        store.put("a/b", b"2")


def test_ten_thousand_objects_are_listed_in_order(root: Path) -> None:
    store = LocalStore(root)
    keys = sorted(
        f"tasks/s/{number:05d}/0/{name}" for number in range(5_000) for name in ("begin.json", "done.json")
    )
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [item.key for item in store.list("tasks")] == keys
    assert [item.key for item in store.list("tasks", after=keys[7000], limit=10)] == keys[7001:7011]
    assert len(store.children("tasks/s")) == 5_000


def test_a_deleted_folder_does_not_keep_a_writer_from_making_it_again(root: Path) -> None:
    store = LocalStore(root)

    def delete() -> None:
        while True:
            store.delete(["a/b/c"])

    process = Forked(delete)
    try:
        for number in range(500):
            store.put("a/b/c", str(number).encode())
    finally:
        process.kill()


def test_writes_that_are_cut_short_are_continued(tmp_path: Path) -> None:
    parts = [memoryview(bytes([number % 256]) * (number % 50)) for number in range(3000)]
    reader, writer = os.pipe()

    def write() -> None:
        os.close(reader)
        # A pipe takes as much as there is room for, at any byte.
        write_parts(writer, [part for part in parts if part])

    process = Forked(write)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"".join(parts)
    process.result()
