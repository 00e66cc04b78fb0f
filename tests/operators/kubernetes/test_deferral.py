"""A pod that is left to the triggerer, and taken up again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_mlflow_provider.operators.kubernetes import PodOutcome, PodUnit, pod_unit
from airflow_mlflow_provider.triggers import pod as trigger_module
from airflow_mlflow_provider.triggers.pod import PodTrigger
from tests.kubernetes_standin import KubernetesStandin
from tests.operators.kubernetes.conftest import Task, Unit
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(90)]

LONGER = "import time\nprint('begin', flush=True)\ntime.sleep(1.5)\nprint('end')"
FOREVER = "import time\nprint('begin', flush=True)\ntime.sleep(120)"


def deferred(work: PodUnit) -> PodTrigger:
    """The trigger that a unit leaves, as a triggerer gets it: by its class path and JSON."""
    with pytest.raises(TaskDeferred) as caught:
        work.defer()
    assert caught.value.method_name == "resume_pod"
    path, arguments = caught.value.trigger.serialize()
    assert path == "airflow_mlflow_provider.triggers.pod.PodTrigger"
    return PodTrigger(**json.loads(json.dumps(arguments)))


def event_of(trigger: PodTrigger, within: float = 40) -> dict[str, Any]:
    """The one event of a trigger, as JSON carries it."""

    async def first() -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    payload: dict[str, Any] = json.loads(json.dumps(asyncio.run(asyncio.wait_for(first(), within))))
    return payload


def the_pod(cluster: KubernetesStandin) -> dict[str, Any]:
    (record,) = cluster.admin.pods()
    return record


def test_a_pod_is_waited_for_by_the_triggerer_and_finished_by_a_worker(
    cluster: KubernetesStandin, unit: Unit, task: Task
) -> None:
    event = event_of(deferred(unit(LONGER)))
    assert event["outcome"]["reason"] == "Completed"
    assert not the_pod(cluster)["deleted"]
    found = unit(LONGER).resume(event)
    assert (found.reason, found.exit_code) == ("Completed", 0)
    assert [line for line in task.lines if line in ("begin", "end")] == ["begin", "end"]
    assert the_pod(cluster)["deleted"]


def test_a_short_pod_is_not_left_to_the_triggerer(cluster: KubernetesStandin, unit: Unit, task: Task) -> None:
    found = unit("print('short')").run_or_defer()
    assert found.reason == "Completed"
    assert "short" in task.lines
    assert the_pod(cluster)["deleted"]


def test_a_long_pod_is_left_to_the_triggerer(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_unit, "PROMPT_S", 0.3)
    work = unit(FOREVER)
    with pytest.raises(TaskDeferred):
        work.run_or_defer()
    work.kill()


@pytest.mark.parametrize(
    ("said", "configured", "expected"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_whether_to_defer_is_said_by_the_step_or_else_configured(
    unit: Unit, said: bool | None, configured: bool, expected: bool
) -> None:
    decorators = {"airflow_task": {"deferrable": said}}
    assert unit("pass", decorators=decorators, settings={"pod_deferrable": configured}).deferrable is expected


def test_a_failure_is_seen_by_the_triggerer(unit: Unit) -> None:
    work = unit("sys.exit(5)")
    event = event_of(deferred(work))
    assert event["outcome"]["exit_code"] == 5
    assert work.resume(event).exit_code == 5


def test_a_pod_lost_while_it_is_deferred(cluster: KubernetesStandin, unit: Unit) -> None:
    trigger = deferred(unit(FOREVER))
    wait_until(lambda: the_pod(cluster)["last"]["status"]["phase"] == "Running", 20, "the pod runs")
    cluster.admin.vanish(trigger.pod_name)
    event = event_of(trigger)
    assert event["outcome"]["reason"] == "Lost"
    assert unit(FOREVER).resume(event).reason == "Lost"


def test_a_pod_gone_before_the_worker_is_back_ended_as_the_triggerer_saw_it(
    cluster: KubernetesStandin, unit: Unit, task: Task
) -> None:
    event = event_of(deferred(unit("pass")))
    cluster.admin.vanish(event["pod_name"])
    assert unit("pass").resume(event).reason == "Completed"
    assert any("is gone" in line for line in task.lines)


def test_another_pod_of_the_same_name_is_not_taken_for_it(cluster: KubernetesStandin, unit: Unit) -> None:
    event = event_of(deferred(unit("pass")))
    stranger = {
        **event,
        "uid": "another",
        "outcome": msgspec.to_builtins(PodOutcome("Failed", "Evicted", pod_name=event["pod_name"])),
    }
    assert unit("pass").resume(stranger).reason == "Evicted"
    assert not the_pod(cluster)["deleted"]


def test_an_image_that_cannot_be_pulled_ends_the_waiting(cluster: KubernetesStandin, unit: Unit) -> None:
    work = unit("pass", image="missing:1")
    event = event_of(deferred(work))
    assert event["outcome"]["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert work.resume(event).reason in ("ErrImagePull", "ImagePullBackOff")
    wait_until(lambda: the_pod(cluster)["deleted"], 10, "the pod is deleted")


def test_a_triggerer_outlives_an_api_server_that_is_away(
    cluster: KubernetesStandin, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_module, "_LONGEST_PAUSE_S", 0.05)
    trigger = deferred(unit(LONGER))
    cluster.admin.fail("get", "pods", times=5, code=503)
    assert event_of(trigger)["outcome"]["reason"] == "Completed"


def test_a_worker_takes_over_from_a_triggerer_that_may_not_see_pods(
    cluster: KubernetesStandin, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = deferred(unit(LONGER))
    connection = json.loads(cluster.airflow_connection)
    connection["extra"]["kube_config_path"] = str(cluster.kubeconfig_no_rights)
    with monkeypatch.context() as other_machine:
        other_machine.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        event = event_of(trigger)
    assert event["outcome"]["reason"] == "Unreachable"
    assert unit(LONGER).resume(event).reason == "Completed"


def test_a_deferred_task_that_is_killed_takes_its_pod_with_it(cluster: KubernetesStandin, unit: Unit) -> None:
    trigger = deferred(unit(FOREVER))

    async def wait_and_kill() -> None:
        waiting: asyncio.Future[Any] = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await trigger.on_kill()

    asyncio.run(wait_and_kill())
    wait_until(lambda: the_pod(cluster)["deleted"], 40, "the pod is deleted")
