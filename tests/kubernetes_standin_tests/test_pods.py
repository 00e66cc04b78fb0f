"""What becomes of a pod: placement, states, restarts, deadlines, deletion."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, pod_body, shell, terminated


@pytest.mark.parametrize(
    ("script", "phase", "code", "reason"),
    [("exit 0", "Succeeded", 0, "Completed"), ("exit 42", "Failed", 42, "Error"), ("kill -9 1; exit 5", "Failed", 5, "Error")],
)  # fmt: skip
def test_the_exit_code_decides_the_phase(pods: Pods, script: str, phase: str, code: int, reason: str) -> None:
    pod = pods.run(shell(script))
    assert pod.status.phase == phase
    ended = terminated(pod)
    assert (ended.exit_code, ended.reason) == (code, reason)
    assert ended.started_at <= ended.finished_at


def test_a_pod_is_placed_addressed_and_conditioned(pods: Pods) -> None:
    pods.create(pod_body("one", "sleep", "60"))
    pods.create(pod_body("two", "sleep", "60"))
    one, two = pods.running("one"), pods.running("two")
    assert one.spec.node_name == "standin-node"
    assert one.status.pod_ip.startswith("127.")
    assert one.status.pod_ip != two.status.pod_ip
    assert {item.type: item.status for item in one.status.conditions}["Ready"] == "True"
    assert int(one.metadata.resource_version) > 0


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
    ],
)
def test_the_quality_of_service_follows_the_resources(
    pods: Pods, resources: dict[str, Any], quality: str
) -> None:
    assert pods.create(pod_body(resources=resources)).status.qos_class == quality


@pytest.mark.parametrize(
    "image", ["missing:1", "registry.example/team/missing-model", "python:does-not-exist"]
)
def test_a_missing_image_is_never_pulled(pods: Pods, image: str) -> None:
    pods.create(pod_body(image=image))
    pod = pods.waiting("ImagePullBackOff")
    assert pod.status.phase == "Pending"
    assert "not found" in pod.status.container_statuses[0].state.waiting.message


def test_a_name_that_is_no_image_reference_is_told_apart(pods: Pods) -> None:
    pods.create(pod_body(image="Not An Image"))
    assert pods.waiting("InvalidImageName").status.phase == "Pending"


def test_a_command_that_does_not_exist_is_a_start_error(pods: Pods) -> None:
    pod = pods.run(pod_body("pod", "no-such-program"))
    assert pod.status.phase == "Failed"
    ended = terminated(pod)
    assert (ended.exit_code, ended.reason) == (128, "StartError")
    assert "executable file not found in $PATH" in ended.message


def test_a_container_without_a_command_cannot_be_created(pods: Pods) -> None:
    body = pod_body()
    del body["spec"]["containers"][0]["command"]
    pods.create(body)
    pod = pods.waiting("CreateContainerError")
    assert "no command specified" in pod.status.container_statuses[0].state.waiting.message


def test_init_containers_run_in_order_before_the_others(pods: Pods) -> None:
    body = shell("cat /work/log")
    mount = [{"name": "work", "mountPath": "/work"}]
    body["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    body["spec"]["containers"][0]["volumeMounts"] = mount
    body["spec"]["initContainers"] = [
        {
            "name": name,
            "image": "python",
            "command": ["sh", "-c", f"echo {name} >> /work/log"],
            "volumeMounts": mount,
        }
        for name in ("first", "second")
    ]
    pod = pods.run(body)
    assert pods.log() == "first\nsecond\n"
    assert terminated(pod, "first").exit_code == 0


def test_a_failing_init_container_fails_the_pod(pods: Pods) -> None:
    body = pod_body()
    body["spec"]["initContainers"] = [{"name": "init", "image": "python", "command": ["sh", "-c", "exit 7"]}]
    pod = pods.run(body)
    assert pod.status.phase == "Failed"
    assert terminated(pod, "init").exit_code == 7
    assert pod.status.container_statuses[0].state.waiting.reason == "PodInitializing"


def test_a_sidecar_ends_after_the_containers(pods: Pods) -> None:
    body = shell("echo done")
    script = "trap 'exit 0' TERM; while true; do sleep 0.05; done"
    sidecar = {"name": "side", "image": "python", "restartPolicy": "Always", "command": ["sh", "-c", script]}
    body["spec"]["initContainers"] = [sidecar]
    pod = pods.run(body)
    assert pod.status.phase == "Succeeded"
    assert terminated(pod, "side").exit_code == 0


def test_on_failure_restarts_until_success(pods: Pods) -> None:
    body = shell("test -e /work/second || { touch /work/second; echo first; exit 1; }; echo again")
    body["spec"]["restartPolicy"] = "OnFailure"
    body["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "work", "mountPath": "/work"}]
    pod = pods.run(body)
    assert pod.status.phase == "Succeeded"
    status = pod.status.container_statuses[0]
    assert (status.restart_count, status.last_state.terminated.exit_code) == (1, 1)
    assert pods.log() == "again\n"
    assert pods.log(previous=True) == "first\n"


def test_the_deadline_ends_a_pod(pods: Pods) -> None:
    body = pod_body("pod", "sleep", "60")
    body["spec"].update(activeDeadlineSeconds=1, terminationGracePeriodSeconds=0)
    pod = pods.run(body)
    assert (pod.status.phase, pod.status.reason) == ("Failed", "DeadlineExceeded")
    assert terminated(pod).exit_code == 137


def test_deletion_sends_sigterm_and_waits_for_the_process(pods: Pods, standin: KubernetesStandin) -> None:
    pods.create(shell("trap 'echo bye; exit 3' TERM; echo ready; while true; do sleep 0.05; done"))
    pods.running()
    pods.wait("the trap", lambda _: pods.log() == "ready\n")
    deleting = pods.core.delete_namespaced_pod("pod", "default")
    assert deleting.metadata.deletion_timestamp is not None
    assert deleting.metadata.deletion_grace_period_seconds == 30
    pods.gone()
    record = next(entry for entry in standin.admin.pods() if entry["created"]["metadata"]["name"] == "pod")
    assert record["deleted"]
    assert record["last"]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(
    pods: Pods, standin: KubernetesStandin
) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    pods.running()
    pods.core.delete_namespaced_pod("pod", "default", grace_period_seconds=1)
    pods.gone()
    last = standin.admin.pods()[0]["last"]
    assert last["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137


def test_deletion_without_grace_removes_the_pod_at_once(pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    pods.running()
    pods.core.delete_namespaced_pod("pod", "default", grace_period_seconds=0)
    pods.create(pod_body("pod", "true"))
    assert pods.end().status.phase == "Succeeded"


def test_no_process_of_a_container_outlives_it(pods: Pods, tmp_path: Path) -> None:
    script = f"(while true; do date +%s%N > {tmp_path}/beat; sleep 0.05; done) & until test -s {tmp_path}/beat; do sleep 0.05; done"
    body = shell(script)
    body["spec"]["volumes"] = [{"name": "host", "hostPath": {"path": str(tmp_path)}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "host", "mountPath": str(tmp_path)}]
    assert pods.run(body).status.phase == "Succeeded"
    beat = (tmp_path / "beat").read_text()
    time.sleep(0.3)
    assert (tmp_path / "beat").read_text() == beat


def test_a_pod_that_fits_no_node_stays_unscheduled(pods: Pods) -> None:
    body = pod_body()
    body["spec"]["nodeSelector"] = {"disk": "slow"}
    pods.create(body)
    pod = pods.wait("the verdict of the scheduler", lambda pod: pod.status.conditions)
    condition = pod.status.conditions[0]
    assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
    assert pod.spec.node_name is None


def test_a_pod_waits_for_resources_another_one_holds(pods: Pods) -> None:
    gpus = {"limits": {"nvidia.com/gpu": "2"}}
    pods.create(pod_body("first", "sleep", "60", resources=gpus))
    pods.running("first")
    pods.create(pod_body("second", resources=gpus))
    pod = pods.wait("the verdict of the scheduler", lambda pod: pod.status.conditions, "second")
    assert "Insufficient nvidia.com/gpu" in pod.status.conditions[0].message
    pods.core.delete_namespaced_pod("first", "default", grace_period_seconds=0)
    assert pods.end("second").status.phase == "Succeeded"


def test_events_tell_the_story_of_a_pod(core: Any, pods: Pods) -> None:
    pods.run(pod_body())
    events = core.list_namespaced_event("default", field_selector="involvedObject.name=pod").items
    assert [event.reason for event in sorted(events, key=lambda event: int(event.metadata.resource_version))] == [
        "Scheduled", "Pulled", "Started",
    ]  # fmt: skip
    assert events[0].involved_object.kind == "Pod"
