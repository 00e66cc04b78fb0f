"""What a pod starts with, run as a pod runs it: as source on the command line of a bare interpreter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from airflow_mlflow_provider.operators.kubernetes.command import bootstrap_source
from airflow_mlflow_provider.runtime.bootstrap import IMPORTED_MEANWHILE
from airflow_mlflow_provider.store.location import open_store
from tests.code_packages import stub_package
from tests.services.s3 import S3Server

# Stands in for the runtime of a package: says what it was given and how it can be ended.
UNIT = """
import json, os, pathlib, sys, airflow_mlflow_provider
assert __name__ == "__main__"
here = pathlib.Path(airflow_mlflow_provider.__file__).parent
# The store's client has none either before it is used.
assert not os.path.isdir("/proc/self/task") or len(os.listdir("/proc/self/task")) == 1
print(json.dumps({"arguments": sys.argv[1:], "flow": (here.parent.parent / "flow" / "flow.py").read_text()}))
sys.stdout.flush()
if "wait" in sys.argv[1]:
    import time
    time.sleep(60)
sys.exit(3 if "fail" in sys.argv[1] else 0)
"""


def start(launch: dict[str, Any], folder: Path, **environment: str) -> subprocess.Popen[str]:
    here = folder / "somewhere"
    here.mkdir(exist_ok=True)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return subprocess.Popen(
        [sys.executable, "-u", "-c", bootstrap_source(), json.dumps({"image": "image:1", **launch})],
        cwd=here,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary), **aws, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(launch: dict[str, Any], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    with start(launch, folder, **environment) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[str, str]:
    """URL of a store in a folder, and the digest of the package in it."""
    url = (tmp_path / "a store").as_uri()
    digest, data = stub_package(UNIT, "print('flow')")
    open_store(url).put(f"code/{digest}.tar.zst", data)
    return url, digest


def test_the_code_comes_from_s3_and_runs_the_request(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    digest, data = stub_package(UNIT, "print('flow')")
    url = f"s3://{s3_bucket}/flows"
    open_store(url, cache=None).put(f"code/{digest}.tar.zst", data)
    wanted = {"steps": ["train"], "text": '$(HOME) \\ " ü 😀'}
    ended = run({"store": url, "code": digest, "request": wanted}, tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [json.loads(text) for text in told["arguments"]] == [wanted]
    assert told["flow"] == "print('flow')"


def test_the_exit_code_is_that_of_the_unit(stored: tuple[str, str], tmp_path: Path) -> None:
    url, digest = stored
    assert run({"store": url, "code": digest, "request": {"fail": 1}}, tmp_path).returncode == 3


def test_a_long_request_is_read_from_the_store(stored: tuple[str, str], tmp_path: Path) -> None:
    url, digest = stored
    text = json.dumps({"paths": "x" * 300_000})
    open_store(url).put("blobs/ab/abcd", text.encode())
    ended = run({"store": url, "code": digest, "request_key": "blobs/ab/abcd"}, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["arguments"] == [text]
    assert not [path for path in (tmp_path / "tmp").iterdir() if path.is_file()]


def test_the_package_is_read_once_where_the_folder_outlives_the_pod(
    stored: tuple[str, str], tmp_path: Path
) -> None:
    url, digest = stored
    temporary = {"AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR": str(tmp_path / "node")}
    assert run({"store": url, "code": digest, "request": {}}, tmp_path, **temporary).returncode == 0
    open_store(url).delete([f"code/{digest}.tar.zst"])
    assert run({"store": url, "code": digest, "request": {}}, tmp_path, **temporary).returncode == 0


def test_what_is_imported_during_the_download_is_what_the_runtime_imports() -> None:
    program = "import sys, airflow_mlflow_provider.runtime.unit; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(IMPORTED_MEANWHILE) <= set(ended.stdout.split())


def test_a_corrupted_package_is_not_run(stored: tuple[str, str], tmp_path: Path) -> None:
    url, digest = stored
    other = zstandard.compress(b"something else")
    open_store(url).put(f"code/{digest}.tar.zst", other)
    ended = run({"store": url, "code": digest, "request": {}}, tmp_path)
    assert ended.returncode == 74
    assert f"the code package {digest} is corrupted" in ended.stderr


def test_a_package_that_is_not_there_is_named_with_its_store(tmp_path: Path) -> None:
    ended = run({"store": tmp_path.as_uri(), "code": "0" * 64, "request": {}}, tmp_path)
    assert ended.returncode == 74
    assert tmp_path.as_uri() in ended.stderr
    assert "0" * 64 in ended.stderr
    assert "Traceback" not in ended.stderr


def test_modules_in_the_folder_that_the_image_starts_in_are_not_taken_for_ours(
    stored: tuple[str, str], tmp_path: Path
) -> None:
    url, digest = stored
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "somewhere" / "zstandard.py").write_text("raise SystemExit('the wrong module')")
    assert run({"store": url, "code": digest, "request": {}}, tmp_path).returncode == 0


def test_an_image_without_the_packages_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    source = bootstrap_source()
    process = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            source,
            json.dumps({"image": "bare:1", "store": "s3://b", "code": "0", "request": {}}),
        ],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 78
    assert "bare:1" in process.stderr
    for package in ("blake3", "msgspec", "obstore", "zstandard"):
        assert package in process.stderr


def test_a_python_that_is_too_old_is_told_so(tmp_path: Path) -> None:
    source = "import sys\nsys.version_info = (3, 8, 1)\n" + bootstrap_source()
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            source,
            json.dumps({"image": "old:1", "store": "s3://b", "code": "0", "request": {}}),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 78
    assert "old:1 has Python 3.8" in process.stderr
    assert "3.10 to 3.13" in process.stderr


def test_a_placed_runtime_stands_in_for_the_packages_of_the_image(
    stored: tuple[str, str], tmp_path: Path
) -> None:
    url, digest = stored
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "placed").mkdir()
    site = Path(zstandard.__file__).parent.parent
    (tmp_path / "placed" / version).symlink_to(site)
    launch = json.dumps({"image": "bare:1", "store": url, "code": digest, "request": {}})
    process = subprocess.run(
        [sys.executable, "-S", "-c", bootstrap_source(), launch],
        env={
            "PATH": os.environ["PATH"],
            "MLFLOW_PROVIDER_RUNTIME": str(tmp_path / "placed"),
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def test_a_runtime_image_for_other_pythons_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "placed" / "python3.99").mkdir(parents=True)
    launch = {"store": "s3://b", "code": "0", "request": {}}
    ended = run(launch, tmp_path, MLFLOW_PROVIDER_RUNTIME=str(tmp_path / "placed"))
    assert ended.returncode == 78
    assert "it has python3.99" in ended.stderr


def test_sigterm_ends_the_pod_at_once(stored: tuple[str, str], tmp_path: Path) -> None:
    url, digest = stored
    with start({"store": url, "code": digest, "request": {"wait": 1}}, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
