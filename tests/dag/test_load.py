"""DAG files: what they need, what they import, what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest
from airflow.dag_processing.dagbag import DagBag

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.manifest import encode
from tests.dag.manifests import manifest_of

DAG_FILE = """
from airflow_mlflow_provider.dag import load_flow

dag = load_flow("{manifest}")
"""
# What a DAG file of ours must never need: the pod operator, the runtime, the store's client, user code.
HEAVY = (
    "airflow.providers.cncf.kubernetes.operators.pod",
    "airflow_mlflow_provider.runtime.unit",
    "airflow_mlflow_provider.runtime.task",
    "airflow_mlflow_provider.store.location",
    "boto3",
    "cloudpickle",
    "kubernetes",
    "numpy",
    "obstore",
    "pandas",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A DAGs folder with one flow, whose own code cannot be imported."""
    (tmp_path / "train.json").write_bytes(encode(manifest_of("three_levels")))
    (tmp_path / "train.py").write_text(DAG_FILE.format(manifest="train.json"))
    code = tmp_path / "shape.py"
    code.write_text("raise RuntimeError('user code was imported')\n")
    return tmp_path


def test_a_manifest_beside_the_dag_file_is_found_from_any_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    bag = DagBag(dag_folder=str(folder / "train.py"))
    assert bag.import_errors == {}
    assert bag.dags["ThreeLevelsFlow"].fileloc == str(folder / "train.py")


def test_a_flow_whose_code_raises_when_imported_still_parses(folder: Path) -> None:
    bag = DagBag(dag_folder=str(folder / "train.py"))
    assert set(bag.dags) == {"ThreeLevelsFlow"}
    assert "shape" not in sys.modules


def test_parsing_imports_nothing_heavy_and_no_code_of_the_user(folder: Path) -> None:
    program = f"""
        import runpy, sys
        runpy.run_path({str(folder / "train.py")!r})
        print([name for name in {HEAVY!r} if name in sys.modules])
    """
    answer = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True, env=os.environ
    )
    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"[]", "is not a flow manifest"), (b"{", "is not a flow manifest")],
)
def test_a_missing_or_broken_manifest_is_an_import_error_that_names_the_file(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    (tmp_path / "train.py").write_text(DAG_FILE.format(manifest="train.json"))
    if content is not None:
        (tmp_path / "train.json").write_bytes(content)
    (error,) = DagBag(dag_folder=str(tmp_path / "train.py")).import_errors.values()
    assert message in error
    assert str(tmp_path / "train.json") in error


def test_a_manifest_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    from airflow_mlflow_provider.dag.load import read_manifest

    newer = msgspec.structs.replace(manifest_of("linear"), schema_version=99)
    (tmp_path / "newer.json").write_bytes(encode(newer))
    with pytest.raises(CommandException, match="schema version 99"):
        read_manifest(tmp_path / "newer.json")
