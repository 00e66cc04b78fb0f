"""Exit hooks as teardown tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import ExitHook, FlowManifest
from tests.dag.deployed import Finished, deploy
from tests.services.dag_test import run_dag

HOOKS = (
    ExitHook("broken", "success"),
    ExitHook("on_success", "success"),
    ExitHook("on_error", "error"),
    ExitHook("without_run", "error"),
    ExitHook("without_run", "success"),
)


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the hooks write to."""
    monkeypatch.setenv("HOOKS_SEEN", str(tmp_path / "seen"))
    return tmp_path / "seen"


def _deployed(tmp_path: Path, **changes: Any) -> FlowManifest:
    return deploy("with_hooks", tmp_path / "store", exit_hooks=HOOKS, **changes)


def _words(seen: Path) -> list[list[str]]:
    return [line.split() for line in seen.read_text("utf-8").splitlines()]


def test_success_hooks_run_in_order_after_the_run_is_sealed_and_a_broken_one_changes_nothing(
    tmp_path: Path, seen: Path
) -> None:
    manifest = _deployed(tmp_path)
    run = run_dag(build_dag(manifest))
    assert [run.states[f"exit-hook-{n}"] for n in range(1, 6)] == [
        "failed",
        "success",
        "skipped",
        "skipped",
        "success",
    ]
    first, second = _words(seen)
    assert first[:-1] == ["success", "told", "succeeded"]
    assert second[:-1] == ["plain"]
    assert first[-1] != second[-1], "both hooks ran in one process"
    assert Finished.of(manifest, run).status == "succeeded"


def test_error_hooks_run_when_a_step_failed_and_see_a_sealed_run(tmp_path: Path, seen: Path) -> None:
    manifest = _deployed(tmp_path)
    run = run_dag(build_dag(manifest), {"fails": True}, expected="failed")
    assert [run.states[f"exit-hook-{n}"] for n in range(1, 6)] == [
        "skipped",
        "skipped",
        "success",
        "success",
        "skipped",
    ]
    assert [words[:-1] for words in _words(seen)] == [["error", "failed"], ["plain"]]


def test_a_run_that_failed_before_it_had_a_record_has_error_hooks_too(tmp_path: Path, seen: Path) -> None:
    run = run_dag(build_dag(_deployed(tmp_path)), {"misspelt": 1}, expected="failed")
    assert run.states["exit-hook-3"] == "success"
    assert [words[:-1] for words in _words(seen)] == [["error"], ["plain"]]


def test_hooks_wait_for_every_step_and_pass_airflows_serialization(tmp_path: Path) -> None:
    dag = build_dag(_deployed(tmp_path))
    assert dag.task_dict["exit-hook-1"].upstream_task_ids == {"start", "quick", "other", "join", "end"}
    assert dag.task_dict["exit-hook-1"].is_teardown
    DagSerialization.from_dict(DagSerialization.to_dict(dag))
