"""A store that lies, is full, or refuses: the attempt fails, says why, and nothing of it is visible."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.exception import CorruptedDataException
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import DoneRecord
from tests.kill.runs import FlowProcess, Records
from tests.services.s3 import S3Server

FLOW = "DamagedFlow"
FILE = Path(__file__).parent / "flows" / "damaged_flow.py"
SIZE = 300_000
DISK = 4 << 20


class Run:
    """One run of the damaged flow, ended."""

    def __init__(self, store: str, folder: Path, *options: str, **environment: str) -> None:
        self.store = store
        run_id_file = folder / "run_id"
        arguments = ["--datastore-root", store, "run", "--run-id-file", str(run_id_file), *options]
        with FlowProcess(arguments, folder, FILE, environment) as flow:
            self.exit_code = flow.wait()
        flow.check_no_orphans()
        self.printed = flow.text()
        self.id = run_id_file.read_text() if run_id_file.exists() else ""

    @property
    def ledger(self) -> Ledger:
        """The records of its store."""
        return Ledger(open_store(self.store, cache=None))

    def record(self, step: str) -> DoneRecord | None:
        """The record of a step's task."""
        return self.ledger.newest_done(FLOW, self.id, step, "0")

    def error(self, step: str) -> str:
        """Type and text of the error in a step's record."""
        record = self.record(step)
        assert record is not None
        assert record.outcome == "failed"
        assert record.exception is not None
        return f"{record.exception.type}: {record.exception.message}"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB, in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk that is to be filled")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_corrupted_blob_fails_the_step_that_reads_it_and_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    run = Run(folder.as_uri(), tmp_path, "--flip", str(folder), "--size", str(SIZE))
    assert run.exit_code == 1
    start = run.record("start")
    assert start is not None
    entry = start.artifacts["payload"]
    assert "CorruptedDataException" in run.error("end")
    assert "'payload'" in run.error("end")
    assert entry.digest in run.error("end")
    assert "'payload'" in run.printed
    with pytest.raises(CorruptedDataException, match=entry.digest) as raised:
        ArtifactReader(run.ledger.store).load("payload", entry)
    assert raised.value.where["artifact"] == "payload"


def test_a_corrupted_pack_is_named_by_dump(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    run = Run(folder.as_uri(), tmp_path)
    assert run.exit_code == 0, run.printed
    end = run.record("end")
    assert end is not None
    entry = end.artifacts["length"]
    assert entry.pack is not None
    pack = folder / entry.pack
    data = bytearray(pack.read_bytes())
    data[entry.offset + entry.length // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)
    with FlowProcess(["--datastore-root", run.store, "dump", f"{run.id}/end"], tmp_path, FILE) as dump:
        assert dump.wait() == 1
    assert "'length'" in dump.text()
    assert entry.pack in dump.text()
    assert "Traceback" not in dump.text()


def test_an_artifact_larger_than_the_disk_fails_the_attempt_and_leaves_room_again(
    small_disk: Path, tmp_path: Path
) -> None:
    store = (small_disk / "store").as_uri()
    run = Run(store, tmp_path, "--size", str(2 * DISK))
    assert run.exit_code == 1
    assert "No space left on device" in run.error("start")
    assert "No space left on device" in run.printed
    assert _used(small_disk) < DISK // 2
    Records(open_store(store)).check()
    again = Run(store, tmp_path)
    assert again.exit_code == 0, again.printed


def test_a_disk_without_a_single_byte_left_fails_the_run_and_says_so(
    small_disk: Path, tmp_path: Path
) -> None:
    store = (small_disk / "store").as_uri()
    run = Run(store, tmp_path, "--fill", str(small_disk))
    assert run.exit_code == 1
    assert "No space left on device" in run.printed
    Records(open_store(store)).check()
    (small_disk / "filler").unlink()
    again = Run(store, tmp_path)
    assert again.exit_code == 0, again.printed


@pytest.fixture(scope="module")
def private_s3() -> Iterator[S3Server]:
    """A server of our own: clearing the faults of the shared one would clear those of other tests, too."""
    with S3Server() as server:
        yield server


@pytest.mark.parametrize(
    ("status", "reason", "key"),
    [
        (403, "AccessDenied", "*/done.json"),
        (503, "SlowDown", "*/done.json"),
        (403, "AccessDenied", "*/blobs/*"),
    ],
)
def test_a_refused_write_to_s3_fails_the_attempt_and_says_so(
    status: int, reason: str, key: str, private_s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in private_s3.environment().items():
        monkeypatch.setenv(name, value)
    store = f"s3://{private_s3.bucket()}/flows"
    # The parameters' record and the manifest are let through: it is the step that is refused.
    private_s3.fail(status, operation="PutObject", key=key, times=None, skip=1)
    retries = {"AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES": "1"}
    run = Run(store, tmp_path, "--size", str(SIZE), **retries)
    private_s3.clear_faults()
    assert run.exit_code == 1
    assert reason in run.printed
    assert key.split("/")[1] in run.printed
    assert "Traceback" not in run.printed
    Records(open_store(store, cache=None)).check()
    start = run.record("start")
    assert start is None or start.outcome == "failed"
    again = Run(store, tmp_path)
    assert again.exit_code == 0, again.printed


def _used(folder: Path) -> int:
    figures = os.statvfs(folder)
    return (figures.f_blocks - figures.f_bfree) * figures.f_frsize
