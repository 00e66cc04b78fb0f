"""Flows on a real Airflow: scheduler, LocalExecutor, API server; steps in the worker, artifacts in a folder."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.cards.document import CardDocument
from airflow_mlflow_provider.cards.reading import attempt_cards
from airflow_mlflow_provider.plan.manifest import FlowManifest, Limits, encode
from airflow_mlflow_provider.store.records import AttemptKey
from tests.dag.deployed import Finished, deploy
from tests.services.airflow import LiveAirflow
from tests.services.airflow_api import TaskInstance

pytestmark = pytest.mark.live

DAG_FILE = """
from airflow_mlflow_provider.dag import load_flow

dag = load_flow("{name}.json")
"""


def put(airflow: LiveAirflow, manifest: FlowManifest, dag_id: str) -> FlowManifest:
    """Write the DAG file and the manifest of a flow into the DAGs folder, under an id of its own."""
    manifest = msgspec.structs.replace(manifest, dag_id=dag_id)
    (airflow.dags_folder / f"{dag_id}.json").write_bytes(encode(manifest))
    airflow.add_dag(dag_id, DAG_FILE.format(name=dag_id))
    return manifest


def finished(manifest: FlowManifest, dag_run_id: str) -> Finished:
    """What the store holds of a DAG run."""
    return Finished.of_dag_run(manifest, manifest.dag_id, dag_run_id)


def test_three_levels_of_foreach(live_airflow_sqlite: LiveAirflow, tmp_path: Path) -> None:
    manifest = put(live_airflow_sqlite, deploy("three_levels", tmp_path), "three_levels_live")
    run_id = live_airflow_sqlite.api.trigger_and_wait(manifest.dag_id, conf={"outer": 2, "tag": "$5 `ls` 🙂"})
    found = finished(manifest, run_id)
    assert found.artifact("end", "words") == [
        [[f"x{x}y{y}z{z}" for z in range(2)] for y in range(x + 1)] for x in range(2)
    ]
    assert found.status == "succeeded"
    log = live_airflow_sqlite.api.task_log(manifest.dag_id, run_id, "end")
    assert f"ThreeLevelsFlow/{found.run}/end/0, attempt 0" in log
    assert "$5 `ls` 🙂" in log


def test_each_index_path_of_a_switch_goes_its_own_way(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    manifest = put(live_airflow_sqlite, deploy("switch_in_foreach", tmp_path), "switch_in_foreach_live")
    run_id = live_airflow_sqlite.api.trigger_and_wait(manifest.dag_id, conf={"numbers": "1,2,3,4"})
    assert finished(manifest, run_id).artifact("end", "results") == [-10, 1, -30, 14]
    instances = live_airflow_sqlite.api.task_instances(manifest.dag_id, run_id)
    assert _states(instances, "plain_two") == ["success", "skipped", "success", "skipped"]
    assert _states(instances, "join_parts") == ["skipped", "success", "skipped", "success"]
    ruled_out = [one for one in instances if one.task_id in ("plain", "plain_two") and one.state == "skipped"]
    assert {one.details["pid"] for one in ruled_out} == {None}, "a skipped instance took a worker slot"


def test_clearing_a_task_makes_a_new_attempt_with_a_fresh_budget(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    manifest = put(live_airflow_sqlite, deploy("ways_to_fail", tmp_path), "clear_live")
    api = live_airflow_sqlite.api
    run_id = api.trigger_and_wait(manifest.dag_id, conf={"failures": 1})
    found = finished(manifest, run_id)
    assert found.attempts("shaky", "0001") == [0, 1]
    assert [card_of(found, "shaky", "0001", attempt).status for attempt in (0, 1)] == ["failed", "succeeded"]
    assert card_of(found, "shaky", "0001", 0).components[0]["message"] == "told to fail"
    api.clear(manifest.dag_id, run_id, ["shaky"], downstream=True)
    api.wait_for_run(manifest.dag_id, run_id)
    assert found.attempts("shaky", "0001") == [0, 1, 2, 3]
    assert found.artifact("join", "tried") == [0, 1]


def test_after_a_clear_a_switch_may_go_another_way_and_a_loop_may_be_shorter(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    manifest = put(live_airflow_sqlite, deploy("changed_mind", tmp_path), "changed_mind_live")
    api, file = live_airflow_sqlite.api, tmp_path / "way.txt"
    file.write_text("a 3")
    run_id = api.trigger_and_wait(manifest.dag_id, conf={"file": str(file)})
    found = finished(manifest, run_id)
    assert found.artifact("end", "trace") == ["a", "join", 3]
    file.write_text("b 2")
    api.clear(manifest.dag_id, run_id, ["start"], downstream=True)
    api.wait_for_run(manifest.dag_id, run_id)
    assert found.artifact("end", "trace") == ["b", 2]
    assert api.states(manifest.dag_id, run_id)["join"] == "skipped"


def test_shards_and_labels(live_airflow_sqlite: LiveAirflow, tmp_path: Path) -> None:
    manifest = put(
        live_airflow_sqlite, deploy("three_levels", tmp_path, limits=Limits(max_map_width=3)), "shards_live"
    )
    run_id = live_airflow_sqlite.api.trigger_and_wait(manifest.dag_id, conf={"outer": 4})
    assert len(finished(manifest, run_id).tasks("c_two")) == 20
    instances = live_airflow_sqlite.api.task_instances(manifest.dag_id, run_id)
    assert [one.details["rendered_map_index"] for one in instances if one.task_id == "a"] == [
        "xs=x0",
        "xs=x1",
        "xs=x2 … xs=x3 (2)",
    ]


def test_a_misspelt_parameter_is_named_in_the_log(live_airflow_sqlite: LiveAirflow, tmp_path: Path) -> None:
    manifest = put(live_airflow_sqlite, deploy("three_levels", tmp_path), "misspelt_live")
    api = live_airflow_sqlite.api
    run_id = api.trigger(manifest.dag_id, conf={"outr": 2})
    api.wait_for_run(manifest.dag_id, run_id, expected="failed")
    assert "no parameter outr. Did you mean outer?" in api.task_log(manifest.dag_id, run_id, "start")


def card_of(found: Finished, step: str, task: str, attempt: int) -> CardDocument:
    """The card of an attempt."""
    key = AttemptKey(found.flow, found.run, step, task, attempt)
    ((_, card),) = attempt_cards(found.ledger, key)
    return card


def _states(instances: list[TaskInstance], task_id: str) -> list[str | None]:
    return [one.state for one in instances if one.task_id == task_id]
