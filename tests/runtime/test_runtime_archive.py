"""This package as one file, as a pod imports it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest
import zstandard

from airflow_mlflow_provider.operators.kubernetes.command import container_command
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.runtime.launching import START_METHOD_VARIABLE
from airflow_mlflow_provider.runtime.package import build_package
from airflow_mlflow_provider.runtime.request import UnitRequest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, RunRecord
from tests.services.s3 import S3Server

_FAILING = """
from airflow_mlflow_provider import FlowSpec, step


class FailingFlow(FlowSpec):
    @step
    def start(self):
        raise ValueError("told")


if __name__ == "__main__":
    FailingFlow()
"""
_PACKAGE = """
import sys
from pathlib import Path
from airflow_mlflow_provider.runtime.package import build_package
package = build_package(Path(sys.argv[1]), with_runtime=True)
print(package.digest, package.sources[-1])
"""
_bytecode = pytest.mark.skipif(sys.version_info < (3, 11), reason="made from Python 3.11 on")


def _python(program: str, *arguments: str, path: Path | None = None, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = {"PYTHONPATH": str(path)} if path else {}
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**kept, **found, **environment},
        # Python looks there first.
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def flow_file(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    file = tmp_path / "code" / "failing.py"
    file.write_text(_FAILING, "utf-8")
    return file


@pytest.fixture
def archive(flow_file: Path) -> bytes:
    data = build_package(flow_file, with_runtime=True).data
    with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompress(data))) as tar:
        member = tar.extractfile("runtime.zip")
        assert member is not None
        return member.read()


def _changed(archive: bytes, change: Callable[[str, bytes], bytes], target: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


def test_the_same_source_gives_the_same_package_in_every_process(flow_file: Path, tmp_path: Path) -> None:
    digests = {
        _python(
            _PACKAGE,
            str(flow_file),
            PYTHONHASHSEED=seed,
            AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR=str(tmp_path / seed),
        ).partition(" ")[0]
        for seed in ("1", "2")
    }
    assert digests == {build_package(flow_file, with_runtime=True).digest}


def test_a_pod_makes_the_package_that_it_was_given(flow_file: Path, archive: bytes, tmp_path: Path) -> None:
    home = tmp_path / "runtime.zip"
    home.write_bytes(archive)
    made, _, source = _python(_PACKAGE, str(flow_file), path=home).partition(" ")
    assert made == build_package(flow_file, with_runtime=True).digest
    assert source.endswith(str(home))


@_bytecode
def test_what_a_step_imports_is_not_compiled(archive: bytes, tmp_path: Path) -> None:
    def spoil(name: str, content: bytes) -> bytes:
        return b"raise ImportError('compiled')" if name.endswith(".py") else content

    home = _changed(archive, spoil, tmp_path / "spoilt.zip")
    modules = "unit", "task", "child"
    told = _python(
        "".join(f"import airflow_mlflow_provider.runtime.{name}\n" for name in modules)
        + "import airflow_mlflow_provider.cards.attempt as last\nprint(last.__file__)",
        path=home,
    )
    assert told.startswith(str(home))


@_bytecode
def test_a_python_with_other_bytecode_compiles_the_sources(archive: bytes, tmp_path: Path) -> None:
    def age(name: str, content: bytes) -> bytes:
        return content.replace(MAGIC_NUMBER, b"old\n", 1) if name.endswith(".pyc") else content

    home = _changed(archive, age, tmp_path / "old.zip")
    told = _python("import airflow_mlflow_provider.runtime.unit as unit; print(unit.__file__)", path=home)
    assert told.startswith(str(home))


def test_the_interpreter_of_an_environment_imports_it_from_the_same_file(
    archive: bytes, tmp_path: Path
) -> None:
    home = tmp_path / "runtime.zip"
    home.write_bytes(archive)
    program = """
import sys
from pathlib import Path
from airflow_mlflow_provider.runtime.environments.interpreter import environment_variables
print(environment_variables(Path(sys.executable))["PYTHONPATH"])
"""
    assert _python(program, path=home) == str(home)


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_step_that_fails_in_a_pod_tells_its_own_lines_and_none_of_ours(
    flow_file: Path, tmp_path: Path, s3_server: S3Server, s3_bucket: str, start_method: str
) -> None:
    url = f"s3://{s3_bucket}/flows"
    create = ["--datastore-root", url, "airflow", "create", "--compute", "kubernetes"]
    ours = "AIRFLOW__MLFLOW_PROVIDER__"
    shared = {
        f"{ours}DATASTORE_SHARED": "true",
        f"{ours}KUBERNETES_IMAGE": "image:1",
        "METAFLOW_USER": "tester",
    }
    subprocess.run(
        [sys.executable, str(flow_file), *create, str(tmp_path / "dag.py")],
        env={**os.environ, **shared},
        capture_output=True,
        check=True,
    )
    (deployed,) = tmp_path.glob("*.json")
    manifest = decode(deployed.read_bytes(), str(deployed))
    ledger = Ledger(open_store(url))
    digest = ledger.put_blob(deployed.read_bytes())
    run = RunRecord("FailingFlow", "r", 1.0, "tester", {}, digest, manifest.code.digest)
    request = UnitRequest(url, run.flow, run.run, ("start",), new_run=run)
    command = container_command(manifest, request, "image:1", sys.executable)
    ended = subprocess.run(
        [word.replace("$$", "$") for word in command],
        env={
            "PATH": os.environ["PATH"],
            "TMPDIR": str(tmp_path),
            START_METHOD_VARIABLE: start_method,
            **s3_server.environment(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    record = ledger.done(AttemptKey(run.flow, run.run, "start", "0", 0))
    assert record is not None
    assert record.exception is not None
    assert 'raise ValueError("told")' in record.exception.traceback
    assert "runtime/task.py" not in record.exception.traceback
