from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_mlflow_provider.exception import CommandException, MetaflowException
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.sensors.artifact_store import ArtifactSensor, FlowRunSensor
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunEnd, RunRecord
from airflow_mlflow_provider.triggers.artifact_store import ArtifactTrigger, FlowRunTrigger
from airflow_mlflow_provider.triggers.looking import Predicate, look_for_artifact
from tests.services.dag_test import run_dag

if TYPE_CHECKING:
    from airflow.triggers.base import TriggerEvent

FLOW = "TrainFlow"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The records of the configured store, which is empty."""
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", tmp_path.as_uri())
    return Ledger(open_store(tmp_path.as_uri()))


def begin(ledger: Ledger, run: str, *tags: str, at: float | None = None) -> None:
    ledger.create_run(RunRecord(FLOW, run, at or time.time(), "tester", {"x": 1}, "0" * 64, tags=tags))


def end(ledger: Ledger, run: str, status: Any = "succeeded") -> None:
    ledger.end_run(FLOW, run, RunEnd(status, time.time()))


async def first_event(trigger: FlowRunTrigger | ArtifactTrigger) -> TriggerEvent:
    return await anext(trigger.run())


def test_a_run_that_has_ended_is_found_at_once_and_its_facts_are_the_xcom(ledger: Ledger) -> None:
    begin(ledger, "r1", "nightly")
    end(ledger, "r1")
    with DAG("waits_for_run", schedule=None) as dag:
        FlowRunSensor(task_id="named", flow=FLOW, run="r1", deferrable=True)
        FlowRunSensor(task_id="tagged", flow=FLOW, tags=["nightly"], deferrable=False, poke_interval=0.1)
    run = run_dag(dag)
    for task in ("named", "tagged"):
        assert run.xcom(task)["pathspec"] == "TrainFlow/r1"
        assert run.xcom(task)["tags"] == ["nightly"]


def test_a_named_run_that_failed_fails_the_sensor_and_any_other_is_waited_for(ledger: Ledger) -> None:
    begin(ledger, "r1")
    end(ledger, "r1", "failed")
    hook = ArtifactStoreHook()
    with pytest.raises(MetaflowException, match="TrainFlow/r1 is failed"):
        FlowRunSensor(task_id="s", flow=FLOW, run="latest").look(hook)
    assert FlowRunSensor(task_id="s", flow=FLOW).look(hook) is None
    failed = FlowRunSensor(task_id="s", flow=FLOW, states=["failed"]).look(hook)
    assert failed is not None
    assert failed["status"] == "failed"
    assert (
        FlowRunSensor(task_id="s", flow=FLOW, states=["failed"], since="2100-01-01T00:00:00+00:00").look(hook)
        is None
    )


def test_the_trigger_waits_until_the_run_ends(ledger: Ledger) -> None:
    async def wait() -> Any:
        trigger = FlowRunTrigger(flow=FLOW, run="r1", states=["succeeded"], poke_interval=0.02)
        path, arguments = trigger.serialize()
        assert path == "airflow_mlflow_provider.triggers.artifact_store.FlowRunTrigger"
        waiting = asyncio.create_task(first_event(FlowRunTrigger(**arguments)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        end(ledger, "r1")
        return (await asyncio.wait_for(waiting, 20)).payload

    # Whether a run without a verdict has ended is looked up at its end step, which the manifest names.
    begin_with_manifest(ledger, "r1")
    assert asyncio.run(wait())["pathspec"] == "TrainFlow/r1"


def begin_with_manifest(ledger: Ledger, run: str) -> None:
    from airflow_mlflow_provider.plan.manifest import encode
    from tests.dag.manifests import manifest_of

    digest = ledger.put_blob(encode(manifest_of("linear")))
    ledger.create_run(RunRecord(FLOW, run, time.time(), "tester", {}, digest))


@pytest.mark.parametrize(
    ("value", "predicate", "expected"),
    [
        (0.95, {"op": ">=", "value": 0.9}, "yes"),
        (0.5, {"op": ">=", "value": 0.9}, "no"),
        (float("nan"), {"op": ">=", "value": 0.9}, "no"),
        ("ready", {"op": "==", "value": "ready"}, "yes"),
        (True, {"op": "==", "value": True}, "yes"),
        ("a", {"op": ">", "value": 1}, "no"),
        ([1, 2], {"of": "len", "op": ">", "value": 1}, "yes"),
        ([1, 2], {"op": "contains", "value": 2}, "ask"),
        ({"auc": 0.9}, {"path": ["auc"], "op": ">", "value": 0.8}, "ask"),
        (3, {"of": "type", "op": "in", "value": ["int", "float"]}, "yes"),
    ],
)
def test_the_record_answers_what_it_can_and_the_value_the_rest(
    ledger: Ledger, value: Any, predicate: dict[str, Any], expected: str
) -> None:
    ArtifactStoreHook().publish("x", value)
    found = look_for_artifact(ledger, "artifact:x", Predicate.of_data(predicate))
    assert ("no" if found is None else "ask" if found["ask"] else "yes") == expected


def test_a_value_that_fails_the_predicate_is_looked_at_once_and_the_next_one_ends_the_wait(
    ledger: Ledger,
) -> None:
    hook = ArtifactStoreHook()
    sensor = ArtifactSensor(
        task_id="s", artifact="artifact:scores", predicate={"path": ["auc"], "op": ">", "value": 0.8}
    )
    hook.publish("scores", {"auc": 0.5})
    assert sensor.look(hook) is None

    async def wait() -> Any:
        waiting = asyncio.create_task(first_event(ArtifactTrigger(**trigger_arguments(sensor))))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await asyncio.to_thread(hook.publish, "scores", {"auc": 0.9})
        return (await asyncio.wait_for(waiting, 20)).payload

    found = sensor.execute_complete({}, asyncio.run(wait()))
    assert found["artifact"] == "artifact:scores@2"
    assert "ask" not in found


def trigger_arguments(sensor: ArtifactSensor) -> dict[str, Any]:
    sensor.poke_interval = 0.02
    return sensor.trigger().serialize()[1]


@pytest.mark.parametrize("data", [{}, {"op": "~"}, {"op": "==", "of": "secrets"}, {"op": "==", "code": "x"}])
def test_what_is_no_predicate_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(CommandException, match="is not a predicate"):
        Predicate.of_data(data)


def test_a_store_that_may_not_be_read_ends_the_wait_with_its_reason(ledger: Ledger) -> None:
    with pytest.raises(MetaflowException, match="access denied"):
        FlowRunSensor(task_id="s", flow=FLOW).execute_complete({}, {"error": "access denied"})
