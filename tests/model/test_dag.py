"""Every shape of flow does as a DAG, under Airflow's own dependency rules, what the reference model says."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import Limits, encode
from tests.dag.deployed import Finished, map_labels
from tests.model.deploying import dag_name, left_by, shape_manifest
from tests.model.failures import FAILURES, NESTED_FAILURES, fault
from tests.model.reference import Expected, interpret
from tests.model.shapes import SHAPES
from tests.model.spec import Block, Fault
from tests.services.dag_test import run_dag

# Run always; the others, and all of the failures but one, with `make test-full`: each costs seconds.
QUICK = ("recursion_in_foreach", "join_that_splits")
QUICK_FAILURES = (("gang_in_foreach", fault("train", "0001-0000", "kill", "retried")),)
# Shards: of two splits, as asked for; of more than one, as no more than two instances are allowed, with a foreach that does without
# some of its splits, or with a deployment that says how wide a foreach may be.
_PAIRS = Limits(splits_per_task=2)
_WIDER = Limits(max_map_width=2)
_WIDER_FORESEEN = Limits(max_map_width=2, max_num_splits=100)


def test_every_shape_is_a_dag_that_airflow_imports_and_serialises(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    names = {shape: dag_name(shape) for shape in SHAPES}
    for shape, name in names.items():
        manifest = shape_manifest(SHAPES[shape], None, name, tmp_path / shape)
        (dags / f"{name}.json").write_bytes(encode(manifest))
        (dags / f"{name}.py").write_text(
            f'from airflow_mlflow_provider.dag import load_flow\n\ndag = load_flow("{name}.json")\n', "utf-8"
        )
    bag = DagBag(dag_folder=dags)
    assert bag.import_errors == {}
    assert set(bag.dags) == set(names.values())
    for name, dag in bag.dags.items():
        again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
        assert again.dag_id == name
        assert again.task_ids == dag.task_ids


@pytest.mark.parametrize(
    "shape", [shape if shape in QUICK else pytest.param(shape, marks=pytest.mark.slow) for shape in SHAPES]
)
def test_a_dag_run_does_what_the_model_says(shape: str, tmp_path: Path) -> None:
    flow = SHAPES[shape]
    assert _run(flow, None, dag_name(shape), tmp_path) == interpret(flow)


@pytest.mark.parametrize(
    ("shape", "broken"),
    [
        *QUICK_FAILURES,
        *(pytest.param(*failure, marks=pytest.mark.slow) for failure in (*FAILURES, *NESTED_FAILURES)),
    ],
)
def test_a_failure_in_a_dag_run_does_what_the_model_says(shape: str, broken: Fault, tmp_path: Path) -> None:
    flow = SHAPES[shape]
    found, expected = _run(flow, broken, dag_name(shape), tmp_path), interpret(flow, broken)
    assert found.without(expected.open) == expected.without(expected.open)


@pytest.mark.parametrize(
    ("shape", "broken", "limits"),
    [
        ("foreach_that_tolerates", fault("body", "0001", "exception", "none"), _WIDER),
        pytest.param("foreach", fault("body", "0001", "kill", "exhausted"), _PAIRS, marks=pytest.mark.slow),
        pytest.param(
            "branch_in_foreach",
            fault("right", "0001", "kill", "none"),
            _WIDER_FORESEEN,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "branch_in_foreach", fault("right", "0001", "kill", "none"), _PAIRS, marks=pytest.mark.slow
        ),
        pytest.param(
            "recursion_in_foreach",
            fault("again", "0001-i0001", "kill", "retried"),
            _PAIRS,
            marks=pytest.mark.slow,
        ),
        pytest.param("nested_foreach", fault("one", "0000", "kill", "none"), _PAIRS, marks=pytest.mark.slow),
        pytest.param(
            "foreach_in_switch_in_foreach",
            fault("split", "0001", "kill", "none"),
            _PAIRS,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_split_of_a_shard_fails_alone(shape: str, broken: Fault, limits: Limits, tmp_path: Path) -> None:
    flow = SHAPES[shape]
    manifest = shape_manifest(flow, broken, "ModelShards", tmp_path)
    sharded = msgspec.structs.replace(manifest, limits=limits)
    found = left_by(Finished.of(sharded, run_dag(build_dag(sharded), expected=None)), flow)
    assert found == interpret(flow, broken)


def test_the_label_of_a_loop_shows_its_last_iteration(tmp_path: Path) -> None:
    manifest = shape_manifest(SHAPES["recursion_in_foreach"], None, "ModelLabels", tmp_path)
    run = run_dag(build_dag(manifest))
    labels = [f"elements=start-{index} iteration {last}" for index, last in enumerate((0, 2, 1))]
    assert map_labels(run, "again") == labels
    assert map_labels(run, "done") == [f"elements=start-{index}" for index in range(3)]


@pytest.mark.slow
def test_catch_stands_in_for_the_nodes_of_a_gang_that_died_or_were_stopped(tmp_path: Path) -> None:
    broken = fault("train", "0001", "kill", "caught")
    found = _run(SHAPES["gang"], broken, "ModelGang", tmp_path)
    assert found.status == "succeeded"
    assert found.tasks["train", "0001"].outcome == "caught"
    assert {found.tasks["train", node].outcome for node in ("0000", "0002")} <= {"succeeded", "caught"}
    assert ("end", "0") in found.tasks


def _run(flow: Block, broken: Fault | None, name: str, folder: Path) -> Expected:
    manifest = shape_manifest(flow, broken, name, folder)
    run = run_dag(build_dag(manifest), expected=None)
    return left_by(Finished.of(manifest, run), flow)
