"""Whole flows as task groups of hand-written DAGs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.sdk import DAG, TaskGroup, task, task_group
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlflow_provider.dag import FlowTaskGroup
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import ExitHook, FlowManifest, encode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished, deploy
from tests.dag.manifests import manifest_of
from tests.services.dag_test import DagTestRun, run_dag


def written(manifest: FlowManifest, folder: Path) -> Path:
    """A manifest as a file."""
    path = folder / f"{manifest.flow_name}.json"
    path.write_bytes(encode(manifest))
    return path


def found(store: Path, flow: str, run: DagTestRun, group: str) -> Finished:
    """What the store holds of the group's run."""
    ledger = Ledger(open_store(store.as_uri()))
    return Finished(ledger, flow, airflow_run_id(run.dag_id, run.run_id, group))


def test_steps_groups_and_planning_tasks_have_the_prefix_of_all_groups_around(tmp_path: Path) -> None:
    path = written(manifest_of("three_levels"), tmp_path)
    with DAG("around") as dag, TaskGroup("outer"):
        FlowTaskGroup("inner", path)
    assert all(name.startswith("outer.inner.") for name in dag.task_dict)
    assert {"outer.inner.start", "outer.inner.plan-split_b", "outer.inner.end"} <= set(dag.task_dict)
    assert "outer.inner.foreach-start" in dag.task_group.get_task_group_dict()
    assert dag.task_dict["outer.inner.plan-split_b"].upstream_task_ids == {"outer.inner.split_b"}
    dag.check_cycle()
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert set(again.task_dict) == set(dag.task_dict)


def test_one_flow_may_be_in_a_dag_twice_and_each_group_is_a_run_of_its_own(tmp_path: Path) -> None:
    path = written(manifest_of("linear"), tmp_path)
    with DAG("twice") as dag:
        FlowTaskGroup("a", path) >> FlowTaskGroup("b", path)
    assert dag.task_dict["a.end"].downstream_task_ids == {"b.start"}
    assert (
        airflow_run_id("twice", "r", "a") != airflow_run_id("twice", "r", "b") != airflow_run_id("twice", "r")
    )


def test_tasks_may_be_put_between_steps_and_exit_hooks_are_not_waited_for(tmp_path: Path) -> None:
    hooked = msgspec.structs.replace(manifest_of("linear"), exit_hooks=(ExitHook("told", "success"),))
    with DAG("between") as dag:
        group = FlowTaskGroup("flow", written(hooked, tmp_path))

        @task
        def check() -> None: ...

        @task
        def after() -> None: ...

        group.step("start") >> check() >> group.step("middle")
        group >> after()
    assert dag.task_dict["flow.middle"].upstream_task_ids == {"flow.start", "check"}
    assert dag.task_dict["after"].upstream_task_ids == {"flow.end"}


def test_the_schedule_of_the_flow_is_that_of_the_dag_and_callbacks_of_the_dag_stay(tmp_path: Path) -> None:
    def mine(context: Any) -> None: ...

    with DAG("scheduled", schedule="@daily", on_failure_callback=mine) as dag:
        FlowTaskGroup("flow", written(manifest_of("linear"), tmp_path))
    callbacks: Any = dag.on_failure_callback
    assert callbacks[0] is mine
    assert "LinearFlow" in repr(callbacks[1])
    assert dag.has_on_failure_callback
    assert dag.has_on_success_callback


def test_what_is_wrong_with_parameters_is_an_import_error(tmp_path: Path) -> None:
    path = written(deploy("three_levels", tmp_path), tmp_path)
    with DAG("misspelt"), pytest.raises(CommandException, match="Did you mean outer"):
        FlowTaskGroup("flow", path, parameters={"outr": 2})


def test_a_mapped_group_around_is_refused(tmp_path: Path) -> None:
    path = written(manifest_of("linear"), tmp_path)

    @task_group
    def around(n: int) -> None:
        FlowTaskGroup("flow", path)

    with DAG("mapped"), pytest.raises(CommandException, match="cannot map a group inside"):
        around.expand(n=[1, 2])


def test_a_nested_foreach_takes_its_parameters_from_tasks_and_templates(tmp_path: Path) -> None:
    store = tmp_path / "store"
    path = written(deploy("three_levels", store), tmp_path)
    with DAG("nested", params={"words": "$5 `ls`"}) as dag:

        @task
        def width() -> int:
            return 2

        @task
        def read(pathspec: Any) -> Any:
            return pathspec

        group = FlowTaskGroup("flow", path, parameters={"outer": width(), "tag": "{{ params.words }}"})
        read(group.pathspec)
    run = run_dag(dag, {"words": "a b"})
    result = found(store, "ThreeLevelsFlow", run, "flow")
    assert result.artifact("end", "words") == [
        [[f"x{x}y{y}z{z}" for z in range(2)] for y in range(x + 1)] for x in range(2)
    ]
    assert result.record.parameters == {"outer": 2, "tag": "a b"}
    assert result.record.airflow["task_group"] == "flow"
    assert run.xcom("read") == f"ThreeLevelsFlow/{result.run}"
    assert result.status == "succeeded"


def test_a_switch_skips_the_tasks_of_its_group(tmp_path: Path) -> None:
    store = tmp_path / "store"
    path = written(deploy("changed_mind", store), tmp_path)
    (tmp_path / "way.txt").write_text("b 2")
    with DAG("switched") as dag:
        FlowTaskGroup("flow", path, parameters={"file": str(tmp_path / "way.txt")})
    run = run_dag(dag)
    assert run.states["flow.join"] == "skipped"
    assert found(store, "ChangedMindFlow", run, "flow").artifact("end", "trace") == ["b", 2]


def test_a_group_that_failed_is_sealed_also_where_the_dag_run_succeeds(tmp_path: Path) -> None:
    store = tmp_path / "store"
    path = written(deploy("ways_to_fail", store), tmp_path)
    with DAG("forgiving") as dag:
        wrong_type = FlowTaskGroup("wrong_type", path, parameters={"failures": "{{ 'ten' }}"})
        failing = FlowTaskGroup("failing", path, parameters={"failures": "{{ 5 + 4 }}"})

        @task(trigger_rule="all_done")
        def anyway() -> None: ...

        [wrong_type, failing] >> anyway()
    run = run_dag(dag)
    assert (run.states["wrong_type.start"], run.states["failing.shaky[1]"]) == ("failed", "failed")
    assert found(store, "WaysToFailFlow", run, "wrong_type").status is None
    failed = found(store, "WaysToFailFlow", run, "failing")
    assert failed.status == "failed"
    assert failed.record.parameters["failures"] == 9
    assert failed.attempts("shaky", "0001") == [0, 1]
