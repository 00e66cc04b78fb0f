"""`airflow create --notify-on-error` and `--notify-on-success`: a web hook is told how each run ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import decode
from tests.flow_runs import FlowFile
from tests.services.dag_test import run_dag
from tests.services.web_hook import TOLD, web_hook


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What was posted to the web hook of the connection `hook`."""
    with web_hook() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({"conn_type": "http", "host": hook.address}))
        yield hook.posted


@pytest.mark.parametrize(("fails", "status"), [(False, "succeeded"), (True, "failed")])
def test_a_web_hook_is_told_how_a_run_ended(
    tmp_path: Path, posted: list[dict[str, Any]], fails: bool, status: str
) -> None:
    flow = FlowFile(tmp_path / "flow", TOLD)
    options = ("--notify-on-error", "hook", "--notify-on-success", "hook", str(tmp_path / "dag.py"))
    shared = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
    flow.run("create", *options, command="airflow", environment=shared).succeeded()
    manifest = decode((tmp_path / "dag.json").read_bytes())
    dag = build_dag(manifest)
    run = run_dag(dag, {"fails": fails}, expected="failed" if fails else "success")
    # `dag.test()` has no DAG processor, which is what calls back.
    callbacks = dag.on_failure_callback if fails else dag.on_success_callback
    assert isinstance(callbacks, list)
    dag_run = SimpleNamespace(dag_id=dag.dag_id, run_id=run.run_id, state="failed" if fails else "success")
    posted.clear()
    for callback in callbacks:
        callback({"dag_run": dag_run, "run_id": run.run_id, "reason": "task_failure"})
    (message,) = posted
    assert message["status"] == status
    assert message["pathspec"] in message["text"]
    assert ("no data today" in message["text"]) is fails


def test_nobody_is_told_unless_it_was_asked_for(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path / "flow", TOLD)
    shared = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
    flow.run("create", str(tmp_path / "dag.py"), command="airflow", environment=shared).succeeded()
    dag = build_dag(decode((tmp_path / "dag.json").read_bytes()))
    assert not dag.on_success_callback
    assert isinstance(dag.on_failure_callback, list)
    assert len(dag.on_failure_callback) == 1
