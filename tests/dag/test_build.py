"""The DAG of each graph shape, and what decorators, limits and schedules make of it; nothing is run."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.definitions.taskgroup import MappedTaskGroup
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.exception import CommandException, InvalidDecoratorAttribute
from airflow_mlflow_provider.flow.graph import DecoratorSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest, Limits, Project, decode, encode
from airflow_mlflow_provider.plan.units import plan_units
from tests.dag.manifests import decorated, manifest_of
from tests.plan.shapes import SHAPES


@pytest.fixture(params=SHAPES)
def manifest(request: pytest.FixtureRequest) -> FlowManifest:
    """A manifest of each graph shape in turn."""
    return manifest_of(request.param)


def test_airflow_can_serialize_the_dag_and_read_it_back(manifest: FlowManifest) -> None:
    dag = build_dag(manifest)
    serialized = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    again = DagSerialization.from_dict(serialized)
    assert set(again.task_dict) == set(dag.task_dict)
    for task in dag.tasks:
        assert again.task_dict[task.task_id].downstream_task_ids == task.downstream_task_ids


def test_each_unit_is_the_task_of_its_first_step_and_no_task_is_left_over(manifest: FlowManifest) -> None:
    plan = plan_units(manifest.graph)
    assert set(build_dag(manifest).task_dict) == {*plan.units, *(f"plan-{split}" for split in plan.planned)}


def test_airflow_finds_no_cycle_among_groups_and_tasks(manifest: FlowManifest) -> None:
    dag = build_dag(manifest)
    dag.check_cycle()
    assert len(list(dag.task_group.topological_sort())) == len(dag.task_group.children)


def test_the_dag_is_a_pure_function_of_the_manifest(manifest: FlowManifest) -> None:
    first = build_dag(manifest)
    second = build_dag(decode(encode(manifest)))
    assert DagSerialization.to_dict(first) == DagSerialization.to_dict(second)


def test_the_serialized_dag_does_not_hold_the_manifest_once_more_for_each_mapped_task() -> None:
    manifest = manifest_of("nested_foreach")
    large = msgspec.structs.replace(manifest, configs={"text": "x" * 100_000})
    sizes = [len(json.dumps(DagSerialization.to_dict(build_dag(each)))) for each in (manifest, large)]
    assert sizes[0] == sizes[1]


def test_one_unit_in_a_foreach_is_a_mapped_task_and_several_are_a_mapped_group() -> None:
    one = build_dag(manifest_of("foreach"))
    assert isinstance(one.task_dict["body"], MappedOperator)
    several = build_dag(manifest_of("foreach_two_steps"))
    group = several.task_group.children["foreach-start"]
    assert isinstance(group, MappedTaskGroup)
    assert set(group.children) == {"first", "second"}


def test_all_stages_of_a_scope_are_expanded_over_the_same_list() -> None:
    dag = build_dag(manifest_of("three_levels"))
    assert _mapped_over(dag, "a") == _mapped_over(dag, "after_b") == {"start"}
    assert _mapped_over(dag, "b") == _mapped_over(dag, "after_c") == {"plan-split_b"}
    assert _mapped_over(dag, "c") == {"plan-b_two"}


def test_instances_are_labelled_with_the_value_of_their_split() -> None:
    dag = build_dag(manifest_of("foreach_two_steps"))
    assert {dag.task_dict[name].map_index_template for name in ("first", "second")} == {
        "{{ task.instance_label }}"
    }


def test_a_plain_step_takes_the_arguments_of_its_retry() -> None:
    retry = {"times": 4, "minutes_between_retries": 3}
    task = build_dag(decorated("linear", "middle", retry=retry)).task_dict["middle"]
    assert (task.retries, task.retry_delay) == (4, timedelta(minutes=3))
    assert build_dag(manifest_of("linear")).task_dict["middle"].retries == 0


def test_backoff_grows_up_to_its_limit() -> None:
    retry = {
        "times": 4,
        "minutes_between_retries": 1,
        "backoff": "exponential",
        "max_minutes_between_retries": 8,
    }
    task = build_dag(decorated("linear", "middle", retry=retry)).task_dict["middle"]
    assert task.retry_exponential_backoff == 2.0
    assert task.max_retry_delay == timedelta(minutes=8)


def test_catch_adds_tries_for_the_fallback() -> None:
    caught = {"var": None, "print_exception": True}
    dag = build_dag(decorated("linear", "middle", retry={"times": 2}, catch=caught))
    assert dag.task_dict["middle"].retries == 5
    assert build_dag(decorated("linear", "middle", catch=caught)).task_dict["middle"].retries == 3


def test_a_time_limit_has_a_backstop_that_ends_the_task_well_after_it() -> None:
    timeout = {"seconds": 30, "minutes": 1, "hours": 1}
    task = build_dag(decorated("linear", "middle", timeout=timeout)).task_dict["middle"]
    assert task.execution_timeout == timedelta(seconds=3690 + 120 + 60)
    unlimited = build_dag(manifest_of("linear")).task_dict["middle"]
    assert unlimited.execution_timeout == timedelta(seconds=432_000 + 120 + 60)


@pytest.mark.parametrize(("shape", "step"), [("loop", "again"), ("foreach", "body")])
def test_units_of_several_tasks_have_no_backstop_of_airflow(shape: str, step: str) -> None:
    assert build_dag(decorated(shape, step, timeout={"seconds": 5})).task_dict[step].execution_timeout is None


def test_a_time_limit_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidDecoratorAttribute, match="middle is 0 seconds"):
        build_dag(decorated("linear", "middle", timeout={"seconds": 0}))


@pytest.mark.parametrize("shape", ["linear", "foreach_two_steps", "foreach"])
def test_airflow_task_arguments_reach_the_operator(shape: str) -> None:
    step = {"linear": "middle", "foreach_two_steps": "first", "foreach": "body"}[shape]
    given: dict[str, Any] = {
        "pool": "gpu",
        "pool_slots": 2,
        "queue": "large",
        "priority_weight": 7,
        "weight_rule": "absolute",
        "executor": "LocalExecutor",
        "deferrable": None,
        "trigger_kwargs": {},
    }
    task = build_dag(decorated(shape, step, airflow_task=given)).task_dict[step]
    assert (task.pool, task.pool_slots, task.queue, task.priority_weight) == ("gpu", 2, "large", 7)
    assert task.executor == "LocalExecutor"


def test_max_workers_limits_the_run_and_each_foreach() -> None:
    dag = build_dag(manifest_of("foreach_two_steps", limits=Limits(max_workers=7)))
    assert dag.max_active_tasks == 7
    assert dag.task_dict["first"].max_active_tis_per_dagrun == 7


def test_the_workflow_timeout_ends_the_run() -> None:
    dag = build_dag(manifest_of("linear", limits=Limits(workflow_timeout=3600)))
    assert dag.dagrun_timeout == timedelta(hours=1)


def test_a_dag_says_what_the_flow_says() -> None:
    graph = msgspec.structs.replace(SHAPES["linear"], doc="Trains.\n\nEvery night, on *all* data.\n")
    project = Project(
        name="shop", branch="prod", is_user_branch=False, is_production=True, flow_name="shop.prod.LinearFlow"
    )
    manifest = msgspec.structs.replace(
        manifest_of("linear"),
        graph=graph,
        tags=("nightly", "t" * 200),
        project=project,
        dag_id=project.flow_name,
        paused_upon_creation=True,
        settings={"max_active_runs": 3},
    )
    dag = build_dag(manifest)
    assert dag.dag_id == "shop.prod.LinearFlow"
    assert dag.description == "Trains."
    assert dag.doc_md == "Trains.\n\nEvery night, on *all* data."
    assert dag.tags == {"nightly", "t" * 100, "project:shop", "project_branch:prod"}
    assert dag.is_paused_upon_creation is True
    assert dag.max_active_runs == 3


def test_sensors_come_before_the_start_step() -> None:
    spec = DecoratorSpec(
        name="airflow_external_task_sensor",
        attributes={
            "external_dag_id": "upstream",
            "external_task_ids": ["load"],
            "allowed_states": ["success"],
            "failed_states": None,
            "execution_delta": 3600,
            "check_existence": True,
            "timeout": 60,
            "poke_interval": 5,
            "mode": "reschedule",
            "exponential_backoff": True,
            "pool": None,
            "soft_fail": False,
            "name": None,
            "description": "Waits for the load.",
        },
    )
    dag = build_dag(manifest_of("linear", flow_decorators=(spec,)))
    sensor = dag.task_dict["wait-1"]
    assert dag.task_dict["start"].upstream_task_ids == {"wait-1"}
    assert getattr(sensor, "external_dag_id") == "upstream"  # noqa: B009 - an attribute of the sensor's class
    assert getattr(sensor, "execution_delta") == timedelta(hours=1)  # noqa: B009
    assert sensor.doc_md == "Waits for the load."


def test_a_sensor_of_a_provider_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "airflow.providers.amazon.aws.sensors.s3", None)
    spec = DecoratorSpec(name="airflow_s3_key_sensor", attributes={"bucket_key": "s3://b/k"})
    with pytest.raises(CommandException, match="apache-airflow-providers-amazon"):
        build_dag(manifest_of("linear", flow_decorators=(spec,)))


def _mapped_over(dag: DAG, task_id: str) -> set[str]:
    task = dag.task_dict[task_id]
    group = task.get_closest_mapped_task_group()
    node = group if group is not None else task
    assert isinstance(node, (MappedTaskGroup, MappedOperator))
    return {operator.task_id for operator in node.iter_mapped_dependencies()}
