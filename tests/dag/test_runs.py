"""Flows run as DAGs, with Airflow's own dependency rules, and their results read back from the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import Limits
from tests.dag.deployed import Finished, deploy, map_labels
from tests.services.dag_test import run_dag


def test_three_levels_of_foreach_with_bodies_and_joins_keep_order(tmp_path: Path) -> None:
    manifest = deploy("three_levels", tmp_path)
    run = run_dag(build_dag(manifest), {"outer": 2})
    finished = Finished.of(manifest, run)
    assert finished.artifact("end", "words") == [
        [[f"x{x}y{y}z{z}" for z in range(2)] for y in range(x + 1)] for x in range(2)
    ]
    assert finished.tasks("c_two")[-1] == "0001-0001-0001"
    assert run.states["c_two[5]"] == "success"
    assert finished.status == "succeeded"


def test_more_splits_than_instances_are_run_in_contiguous_shards(tmp_path: Path) -> None:
    manifest = deploy("three_levels", tmp_path, limits=Limits(max_map_width=2))
    run = run_dag(build_dag(manifest), {"outer": 3})
    finished = Finished.of(manifest, run)
    assert finished.artifact("end", "words") == [
        [[f"x{x}y{y}z{z}" for z in range(2)] for y in range(x + 1)] for x in range(3)
    ]
    assert sum(label.startswith("c_two[") for label in run.states) == 2
    assert len(finished.tasks("c_two")) == 12


@pytest.mark.parametrize("width", [512, 2])
def test_each_index_path_of_a_switch_goes_its_own_way(tmp_path: Path, width: int) -> None:
    manifest = deploy("switch_in_foreach", tmp_path, limits=Limits(max_map_width=width))
    run = run_dag(build_dag(manifest), {"numbers": "1,2,3,4"})
    finished = Finished.of(manifest, run)
    assert finished.artifact("end", "results") == [-10, 1, -30, 14]
    assert finished.tasks("plain_two") == ["0000", "0002"]
    assert finished.tasks("join_parts") == ["0001", "0003"]
    if width == 512:
        assert [run.states[f"plain_two[{i}]"] for i in range(4)] == [
            "success",
            "skipped",
            "success",
            "skipped",
        ]
        assert [run.states[f"join_parts[{i}]"] for i in range(4)] == [
            "skipped",
            "success",
            "skipped",
            "success",
        ]
        assert {run.states[f"merge[{i}]"] for i in range(4)} == {"success"}


def test_an_inner_foreach_that_no_index_path_chose_is_skipped(tmp_path: Path) -> None:
    manifest = deploy("switch_in_foreach", tmp_path)
    run = run_dag(build_dag(manifest), {"numbers": "1,3"})
    assert Finished.of(manifest, run).artifact("end", "results") == [-10, -30]
    assert run.states["part"] == "skipped"


@pytest.mark.parametrize(("outer", "pairs"), [(0, []), (1, [[]]), (3, [[], [(0, 0)], [(0, 0), (1, 1)]])])
def test_a_foreach_over_nothing_skips_its_body_and_runs_its_join(
    tmp_path: Path, outer: int, pairs: list[list[tuple[int, int]]]
) -> None:
    manifest = deploy("empty", tmp_path)
    run = run_dag(build_dag(manifest), {"outer": outer})
    assert Finished.of(manifest, run).artifact("end", "pairs") == pairs
    assert run.states["join_a"] == "success"


def test_parameters_reach_the_step_as_they_are_and_nothing_is_rendered(tmp_path: Path) -> None:
    text = "$5 `ls` \"double\" 'single' \n {{ 7 * 7 }} {% raw %} 🙂" + "x" * 1_000_000
    manifest = deploy("ways_to_fail", tmp_path)
    run = run_dag(build_dag(manifest), {"text": text})
    finished = Finished.of(manifest, run)
    assert finished.record.parameters["text"] == text
    assert finished.artifact("end", "text") == text
    assert run.xcom("start")[0] == {"paths": [[0]], "label": "items={{ 7 * 7 }}"}
    assert map_labels(run, "shaky") == ["items={{ 7 * 7 }}", "items=b"]


def test_a_retry_is_a_new_attempt_of_the_failed_split_alone(tmp_path: Path) -> None:
    manifest = deploy("ways_to_fail", tmp_path)
    run = run_dag(build_dag(manifest), {"failures": 1})
    finished = Finished.of(manifest, run)
    assert finished.artifact("join", "tried") == [0, 1]
    assert finished.attempts("shaky", "0001") == [0, 1]
    assert finished.attempts("shaky", "0000") == [0]
    assert "KeyError" in finished.artifact("end", "caught").type


def test_a_retry_of_a_shard_runs_only_the_splits_that_have_not_finished(tmp_path: Path) -> None:
    manifest = deploy("ways_to_fail", tmp_path, limits=Limits(splits_per_task=2))
    run = run_dag(build_dag(manifest), {"failures": 1})
    finished = Finished.of(manifest, run)
    assert finished.artifact("join", "tried") == [0, 1]
    assert run.states["shaky[0]"] == "success"
    assert "shaky[1]" not in run.states
    assert (finished.attempts("shaky", "0000"), finished.attempts("shaky", "0001")) == ([0], [0, 1])


def test_a_step_that_uses_up_its_attempts_fails_the_run(tmp_path: Path) -> None:
    manifest = deploy("ways_to_fail", tmp_path)
    run = run_dag(build_dag(manifest), {"failures": 9}, expected="failed")
    assert run.states["shaky[0]"] == "success"
    assert run.states["shaky[1]"] == "failed"
    assert run.states["join"] == "upstream_failed"


@pytest.mark.parametrize("conf", [{"failure": 1}, {"failures": 0, "Text": "x"}])
def test_a_misspelt_parameter_fails_the_first_task(tmp_path: Path, conf: dict[str, object]) -> None:
    manifest = deploy("ways_to_fail", tmp_path)
    run = run_dag(build_dag(manifest), conf, expected="failed")
    assert run.states["start"] == "failed"


def test_a_run_goes_on_with_the_manifest_that_it_was_started_with(tmp_path: Path) -> None:
    manifest = deploy("three_levels", tmp_path)
    run = run_dag(build_dag(manifest), {"outer": 1})
    finished = Finished.of(manifest, run)
    assert finished.record.airflow["dag_run_id"] == run.run_id
    assert finished.pinned == manifest
