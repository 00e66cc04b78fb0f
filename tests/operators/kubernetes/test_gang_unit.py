"""A gang as pods: started together, ended together, left to the triggerer together, taken up together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.operators.kubernetes import GangUnit, gang_unit
from airflow_mlflow_provider.triggers.gang import GangTrigger
from tests.kubernetes_standin import KubernetesStandin
from tests.operators.kubernetes.conftest import Gang, Task
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(90)]

WAIT = "import time\nprint('waits', flush=True)\ntime.sleep(120)"
FIRST_FAILS = f"if request['node'] == 1: sys.exit(3)\n{WAIT}"


def nodes(cluster: KubernetesStandin) -> dict[str, list[dict[str, Any]]]:
    """The pods that were ever made for each node, oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in cluster.admin.pods():
        labels = record["created"]["metadata"]["labels"]
        found.setdefault(labels["airflow-mlflow-provider/node"], []).append(record)
    return found


def all_run(cluster: KubernetesStandin, number: int) -> bool:
    pods = [pod for pods in nodes(cluster).values() for pod in pods]
    return [pod["last"]["status"]["phase"] for pod in pods] == ["Running"] * number


def test_each_node_is_a_pod_with_an_address_of_its_own(
    cluster: KubernetesStandin, gang: Gang, task: Task
) -> None:
    program = "import os\nprint(request['node'], os.environ['MLFLOW_PROVIDER_NODE_ADDRESS'])"
    found = gang(program, size=3).run()
    assert (found.reason, found.exit_code) == ("Completed", 0)
    addresses = {
        node: pod["last"]["status"]["podIP"] for node, (pod,) in nodes(cluster).items() if pod["deleted"]
    }
    assert set(addresses) == {"0", "1", "2"}
    assert len(set(addresses.values())) == 3
    told = [f"[train/000{node}] {node} {address}" for node, address in addresses.items()]
    assert set(told) <= set(task.lines)


def test_a_node_that_fails_ends_the_others(cluster: KubernetesStandin, gang: Gang) -> None:
    found = gang(FIRST_FAILS, size=3).run()
    assert (found.reason, found.exit_code) == ("Error", 3)
    wait_until(
        lambda: all(pod["deleted"] for (pod,) in nodes(cluster).values()), 40, "the other pods are ended"
    )


def test_a_node_that_cannot_be_placed_ends_the_others(cluster: KubernetesStandin, gang: Gang) -> None:
    # The node has 4 GPUs: the third pod waits for one, and the first two for the third.
    work = gang(WAIT, size=3, gpu=2, settings={"pod_startup_timeout_s": 3})
    found = work.run()
    assert found.reason == "StartTimeout"
    assert "Insufficient nvidia.com/gpu" in found.message
    wait_until(
        lambda: all(pod["deleted"] for (pod,) in nodes(cluster).values()), 40, "the other pods are ended"
    )


def test_a_refused_pod_leaves_none_behind(cluster: KubernetesStandin, gang: Gang) -> None:
    work = gang(WAIT, size=3)
    cluster.admin.fail("create", "pods", times=1, code=403, skip=1)
    with pytest.raises(MetaflowException, match="403"):
        work.run()
    wait_until(
        lambda: all(pod["deleted"] for pods in nodes(cluster).values() for pod in pods), 40, "no pod is left"
    )


def test_ending_the_task_ends_all_pods(cluster: KubernetesStandin, gang: Gang) -> None:
    work = gang(WAIT, size=2)
    work.start()
    wait_until(lambda: all_run(cluster, 2), 20, "both pods run")
    work.kill()
    wait_until(lambda: all(pod["deleted"] for (pod,) in nodes(cluster).values()), 40, "both pods are ended")


def deferred(work: GangUnit, monkeypatch: pytest.MonkeyPatch) -> GangTrigger:
    """The trigger that a gang leaves, as a triggerer gets it."""
    monkeypatch.setattr(gang_unit, "PROMPT_S", 0.1)
    with pytest.raises(TaskDeferred) as caught:
        work.run_or_defer()
    assert caught.value.method_name == "resume_pod"
    path, arguments = caught.value.trigger.serialize()
    assert path == "airflow_mlflow_provider.triggers.gang.GangTrigger"
    return GangTrigger(**json.loads(json.dumps(arguments)))


def event_of(trigger: GangTrigger, within: float = 40) -> dict[str, Any]:
    """The one event of a trigger, as JSON carries it."""

    async def first() -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    payload: dict[str, Any] = json.loads(json.dumps(asyncio.run(asyncio.wait_for(first(), within))))
    return payload


def test_a_gang_is_waited_for_by_the_triggerer_and_finished_by_a_worker(
    cluster: KubernetesStandin, gang: Gang, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import time\ntime.sleep(1.5)\nprint('ended')"
    event = event_of(deferred(gang(program, size=2), monkeypatch))
    assert [pod["outcome"]["reason"] for pod in event["pods"]] == ["Completed", "Completed"]
    assert gang(program, size=2).resume(event).reason == "Completed"
    assert {"[train/0000] ended", "[train/0001] ended"} <= set(task.lines)
    assert all(pod["deleted"] for (pod,) in nodes(cluster).values())


def test_a_failure_seen_by_the_triggerer_ends_the_others(
    cluster: KubernetesStandin, gang: Gang, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"import time\nif request['node'] == 1:\n    time.sleep(1.5)\n    sys.exit(3)\n{WAIT}"
    event = event_of(deferred(gang(program, size=3), monkeypatch))
    assert [bool(pod["outcome"]) for pod in event["pods"]] == [False, True, False]
    assert gang(program, size=3).resume(event).exit_code == 3
    wait_until(
        lambda: all(pod["deleted"] for (pod,) in nodes(cluster).values()), 40, "the other pods are ended"
    )


def test_ending_the_task_while_it_is_deferred_ends_all_pods(
    cluster: KubernetesStandin, gang: Gang, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = deferred(gang(WAIT, size=2), monkeypatch)
    asyncio.run(trigger.on_kill())
    wait_until(lambda: all(pod["deleted"] for (pod,) in nodes(cluster).values()), 40, "both pods are ended")


def test_a_retry_goes_on_with_the_pods_whose_worker_was_lost(cluster: KubernetesStandin, gang: Gang) -> None:
    program = "import time\ntime.sleep(2)"
    gang(program, size=2).start()
    found = gang(program, size=2, try_number=2, request={"attempt": 1, "retry_count": 1}).run()
    assert found.reason == "Completed"
    assert {node: len(pods) for node, pods in nodes(cluster).items()} == {"0": 1, "1": 1}


def test_a_retry_replaces_all_pods_where_one_is_gone(cluster: KubernetesStandin, gang: Gang) -> None:
    gang(FIRST_FAILS, size=2).start()
    wait_until(lambda: nodes(cluster)["1"][0]["last"]["status"]["phase"] == "Failed", 20, "a node has failed")
    found = gang("pass", size=2, try_number=2, request={"attempt": 1, "retry_count": 1}).run()
    assert found.reason == "Completed"
    assert {node: len(pods) for node, pods in nodes(cluster).items()} == {"0": 2, "1": 2}
    wait_until(lambda: nodes(cluster)["0"][0]["deleted"], 40, "the pod that was left is ended")


def test_a_cleared_gang_replaces_the_pods_that_were_left(cluster: KubernetesStandin, gang: Gang) -> None:
    gang(WAIT, size=2).start()
    found = gang("pass", size=2, try_number=2, request={"attempt": 1, "retry_count": 0}).run()
    assert found.reason == "Completed"
    wait_until(
        lambda: all(pod["deleted"] for pods in nodes(cluster).values() for pod in pods), 40, "no pod is left"
    )
