"""Every graph shape gives the same tasks and the same artifacts as a DAG and on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished, manifest_from
from tests.dag.shape_source import source
from tests.plan.shapes import SHAPES
from tests.services.dag_test import run_dag

# Run always; the others with `make test-full`.
QUICK = ("foreach_in_switch", "loop_in_foreach", "gang_in_foreach", "two_inner_foreach")


@pytest.mark.parametrize(
    "shape", [shape if shape in QUICK else pytest.param(shape, marks=pytest.mark.slow) for shape in SHAPES]
)
def test_a_dag_run_does_what_a_local_run_does(shape: str, tmp_path: Path) -> None:
    graph = SHAPES[shape]
    file = tmp_path / "flow.py"
    file.write_text(source(graph))
    local = _run_locally(file, graph, tmp_path / "local")
    manifest = manifest_from(file, tmp_path / "airflow")
    assert {node.name: node.frames for node in manifest.graph} == {node.name: node.frames for node in graph}
    on_airflow = Finished.of(manifest, run_dag(build_dag(manifest)))
    assert _outcome(on_airflow, manifest) == _outcome(local, manifest)


def _run_locally(file: Path, graph: FlowGraph, store: Path) -> Finished:
    command = [sys.executable, str(file), "--datastore-root", str(store), "run"]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=file.parent,
        env={**os.environ, "METAFLOW_USER": "tester"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ledger = Ledger(open_store(str(store)))
    (run,) = ledger.latest(graph.name)
    return Finished(ledger, graph.name, run)


def _outcome(run: Finished, manifest: FlowManifest) -> dict[str, Any]:
    """The tasks of each step, and what the end step knows of its way."""
    tasks = {step: run.tasks(step) for step in manifest.graph.steps}
    return {**tasks, "trace": json.dumps(run.artifact(manifest.graph.end, "trace")), "status": run.status}
