"""Faults on order, and what the stand-in remembers."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ProtocolError

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, pod_body, shell, terminated


def test_a_killed_container_has_the_code_of_its_signal(standin: KubernetesStandin, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    pods.running()
    standin.admin.kill("pod")
    pod = pods.end()
    assert (pod.status.phase, terminated(pod).exit_code, terminated(pod).reason) == ("Failed", 137, "Error")


def test_an_out_of_memory_kill_says_so(standin: KubernetesStandin, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    pods.running()
    standin.admin.out_of_memory("pod")
    assert (terminated(pods.end()).exit_code, terminated(pods.end()).reason) == (137, "OOMKilled")


def test_an_evicted_pod_stays_failed(standin: KubernetesStandin, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    pods.running()
    standin.admin.evict("pod", message="The node was low on resource: ephemeral-storage.")
    status = pods.end().status
    assert (status.phase, status.reason) == ("Failed", "Evicted")
    assert status.message == "The node was low on resource: ephemeral-storage."


def test_a_pod_of_a_lost_node_is_gone(standin: KubernetesStandin, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    pods.running()
    standin.admin.vanish("pod")
    with pytest.raises(ApiException) as error:
        pods.get()
    assert error.value.status == 404


def test_an_order_for_no_running_container_is_refused(standin: KubernetesStandin, pods: Pods) -> None:
    pods.run(pod_body())
    with pytest.raises(ValueError, match="no such container is running"):
        standin.admin.kill("pod")


def test_ordered_failures_happen_so_many_times(standin: KubernetesStandin, pods: Pods) -> None:
    standin.admin.fail("create", "pods", times=2, code=429, retry_after=1)
    answers = []
    for _ in range(3):
        body, headers = pod_body(), {"Authorization": f"Bearer {standin.token}"}
        path = "/api/v1/namespaces/default/pods"
        answers.append(requests.post(standin.url + path, json=body, headers=headers, timeout=60))
    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert answers[0].headers["Retry-After"] == "1"
    assert answers[0].json()["reason"] == "TooManyRequests"


def test_a_log_connection_breaks_after_so_many_lines(
    standin: KubernetesStandin, pods: Pods, core: Any
) -> None:
    pods.run(shell("for i in 1 2 3 4; do echo line $i; done"))
    standin.admin.drop_logs(lines=2)
    response = core.read_namespaced_pod_log("pod", "default", follow=True, _preload_content=False)
    lines: list[bytes] = []
    with pytest.raises(ProtocolError):
        lines.extend(response.stream())
    assert pods.log().count("\n") == 4


def test_a_start_can_be_delayed(standin: KubernetesStandin, pods: Pods) -> None:
    standin.admin.delay_starts(60)
    pods.create(pod_body())
    assert pods.get().status.phase == "Pending"
    assert pods.get().spec.node_name is None


def test_requests_are_remembered(standin: KubernetesStandin, pods: Pods) -> None:
    pods.create(pod_body())
    pods.core.list_namespaced_pod("default", label_selector="a=b")
    created = standin.admin.requests(verb="create", resource="pods")
    assert [(entry["code"], entry["body"]["metadata"]["name"]) for entry in created] == [(201, "pod")]
    assert standin.admin.requests(verb="list")[0]["query"] == {"labelSelector": "a=b"}
    standin.admin.forget_requests()
    assert standin.admin.requests() == []


def test_pods_are_remembered_after_their_deletion(standin: KubernetesStandin, pods: Pods) -> None:
    pods.run(pod_body("pod", "sh", "-c", "exit 3"))
    pods.core.delete_namespaced_pod("pod", "default")
    (record,) = standin.admin.pods()
    assert record["deleted"]
    assert record["created"]["spec"]["containers"][0]["command"] == ["sh", "-c", "exit 3"]
    assert record["last"]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_the_orders_need_their_own_token(standin: KubernetesStandin) -> None:
    headers = {"Authorization": f"Bearer {standin.token}"}
    assert requests.post(f"{standin.url}/_standin/reset", headers=headers, timeout=60).status_code == 401


def test_a_reset_ends_every_pod(standin: KubernetesStandin, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    pods.running()
    standin.admin.reset()
    assert pods.core.list_namespaced_pod("default").items == []
    assert pods.create(pod_body()).metadata.name == "pod"
