"""What a pod's containers see, and what becomes of the pod."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, pod_body, shell, terminated

PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def environment(pods: Pods, **container: Any) -> dict[str, str]:
    """The environment of a container."""
    body = pod_body("pod", "python", "-c", PRINT_ENVIRONMENT, **container)
    body["metadata"]["labels"] = {"step": "train"}
    assert pods.run(body).status.phase == "Succeeded"
    variables: dict[str, str] = json.loads(pods.log())
    return variables


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


def test_a_container_does_not_inherit_the_environment_of_the_server(pods: Pods) -> None:
    variables = environment(pods)
    assert set(variables) <= {
        "PATH", "HOME", "HOSTNAME", "LANG", "LC_CTYPE",
        "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS",
    }  # fmt: skip
    assert variables["HOSTNAME"] == "pod"


def test_variables_come_from_every_kind_of_source(core: Any, pods: Pods) -> None:
    core.create_namespaced_secret("default", {"metadata": {"name": "s"}, "stringData": {"KEY": "hush"}})
    core.create_namespaced_config_map("default", {"metadata": {"name": "c"}, "data": {"COLOUR": "red"}})

    def field(path: str) -> dict[str, Any]:
        return {"fieldRef": {"fieldPath": path}}

    sources = {
        "SECRET": {"secretKeyRef": {"name": "s", "key": "KEY"}},
        "CONFIG": {"configMapKeyRef": {"name": "c", "key": "COLOUR"}},
        "OPTIONAL": {"secretKeyRef": {"name": "none", "key": "KEY", "optional": True}},
        "NAME": field("metadata.name"),
        "STEP": field("metadata.labels['step']"),
        "NODE": field("spec.nodeName"),
        "ADDRESS": field("status.podIP"),
        "CPU": {"resourceFieldRef": {"resource": "limits.cpu"}},
        "MEMORY": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
    }
    env = [{"name": name, "valueFrom": source} for name, source in sources.items()]
    env += [{"name": "GREETING", "value": "$(NAME) is $(P_COLOUR), $$(NAME), $(NOBODY)"}]
    env_from = [{"secretRef": {"name": "s"}}, {"prefix": "P_", "configMapRef": {"name": "c"}}]
    resources = {"limits": {"cpu": "1500m", "memory": "64Mi"}}
    variables = environment(pods, env=env, envFrom=env_from, resources=resources)
    assert variables["SECRET"] == variables["KEY"] == "hush"
    assert variables["CONFIG"] == variables["P_COLOUR"] == "red"
    assert "OPTIONAL" not in variables
    assert (variables["NAME"], variables["STEP"], variables["NODE"]) == ("pod", "train", "standin-node")
    assert variables["ADDRESS"].startswith("127.")
    assert (variables["CPU"], variables["MEMORY"]) == ("2", "64")
    assert variables["GREETING"] == "pod is red, $(NAME), $(NOBODY)"


def test_arguments_expand_variables(pods: Pods) -> None:
    pods.run(pod_body("pod", "echo", args=["$(A)-$(B)"], env=[{"name": "A", "value": "1"}]))
    assert pods.log() == "1-$(B)\n"


def test_a_missing_secret_keeps_the_pod_waiting_until_it_is_there(core: Any, pods: Pods) -> None:
    source = {"secretKeyRef": {"name": "late", "key": "k"}}
    pods.create(shell("echo $A", env=[{"name": "A", "valueFrom": source}]))
    pod = pods.waiting("CreateContainerConfigError")
    assert pod.status.phase == "Pending"
    assert pod.status.container_statuses[0].state.waiting.message == 'secret "late" not found'
    core.create_namespaced_secret("default", {"metadata": {"name": "late"}, "stringData": {"k": "here"}})
    assert pods.end().status.phase == "Succeeded"
    assert pods.log() == "here\n"


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


def test_volumes_are_mounted_where_the_container_asks(core: Any, pods: Pods, tmp_path: Path) -> None:
    core.create_namespaced_secret(
        "default", {"metadata": {"name": "s"}, "data": {"k": base64.b64encode(b"hush").decode()}}
    )
    core.create_namespaced_config_map("default", {"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    core.create_namespaced_persistent_volume_claim("default", {"metadata": {"name": "p"}, "spec": claim})
    (tmp_path / "from-the-machine").write_text("shared")
    body = shell(
        "cat /secret/k /etc/deep/path/only-b /host/from-the-machine; ls /etc/deep/path; echo kept > /claim/f;"
        " df -t tmpfs --output=target /memory | tail -1; cat /pod/labels; touch /secret/x || echo read-only"
    )
    body["metadata"]["labels"] = {"step": "train"}
    items = [{"key": "b", "path": "only-b"}]
    downward = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    body["spec"]["volumes"] = [
        {"name": "secret", "secret": {"secretName": "s"}},
        {"name": "config", "configMap": {"name": "c", "items": items}},
        {"name": "host", "hostPath": {"path": str(tmp_path), "type": "Directory"}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "p"}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        {"name": "pod", "downwardAPI": downward},
    ]
    paths = {
        "secret": "/secret",
        "config": "/etc/deep/path",
        "host": "/host",
        "claim": "/claim",
        "memory": "/memory",
    }
    mounts = [{"name": name, "mountPath": path, "readOnly": name == "secret"} for name, path in paths.items()]
    body["spec"]["containers"][0]["volumeMounts"] = [*mounts, {"name": "pod", "mountPath": "/pod"}]
    assert pods.run(body).status.phase == "Succeeded", pods.log()
    log = pods.log()
    assert log.startswith("hush2shared")
    assert 'only-b\n/memory\nstep="train"' in log
    assert log.endswith("read-only\n")
    reader = shell("cat /claim/f", "reader")
    reader["spec"]["volumes"] = [body["spec"]["volumes"][3]]
    reader["spec"]["containers"][0]["volumeMounts"] = [{"name": "claim", "mountPath": "/claim"}]
    pods.run(reader)
    assert pods.log("reader") == "kept\n"
    assert not Path("/etc/deep").exists()


def test_containers_share_an_empty_directory_and_nothing_else(pods: Pods) -> None:
    body = shell("echo hidden > /tmp/mine; echo shown > /shared/file; sleep 0.2; cat /shared/answer")
    other = dict(body["spec"]["containers"][0], name="other")
    other["command"] = [
        "sh",
        "-c",
        "until cat /shared/file; do sleep 0.05; done; ls /tmp; echo seen > /shared/answer",
    ]
    body["spec"]["containers"][0]["command"][2] = (
        "echo hidden > /tmp/mine; echo shown > /shared/file; until cat /shared/answer; do sleep 0.05; done"
    )
    body["spec"]["containers"].append(other)
    body["spec"]["volumes"] = [{"name": "shared", "emptyDir": {}}]
    for container in body["spec"]["containers"]:
        container["volumeMounts"] = [{"name": "shared", "mountPath": "/shared"}]
    assert pods.run(body).status.phase == "Succeeded"
    assert pods.log(container="other").splitlines()[-1] == "shown"
    assert pods.log(container="base").splitlines()[-1] == "seen"


def test_what_a_container_writes_to_its_root_stays_there(pods: Pods) -> None:
    pods.run(shell("echo x > /standin-test-file && cat /standin-test-file && ls /root"))
    assert pods.log().startswith("x\n")
    assert not Path("/standin-test-file").exists()


def test_a_missing_secret_volume_keeps_the_pod_pending(core: Any, pods: Pods) -> None:
    body = shell("cat /s/k")
    body["spec"]["volumes"] = [{"name": "s", "secret": {"secretName": "late"}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "s", "mountPath": "/s"}]
    pods.create(body)
    pods.waiting("ContainerCreating")
    core.create_namespaced_secret("default", {"metadata": {"name": "late"}, "stringData": {"k": "here"}})
    assert pods.end().status.phase == "Succeeded"
    reasons = {event.reason for event in core.list_namespaced_event("default").items}
    assert "FailedMount" in reasons


def test_the_token_of_the_service_account_is_mounted_and_has_no_rights(pods: Pods) -> None:
    script = (
        "import os, urllib.request, urllib.error\n"
        "directory = '/var/run/secrets/kubernetes.io/serviceaccount'\n"
        "token, namespace = (open(f'{directory}/{name}').read() for name in ('token', 'namespace'))\n"
        "url = f\"http://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}/api/v1/pods\"\n"
        "try:\n"
        "    urllib.request.urlopen(urllib.request.Request(url, headers={'Authorization': f'Bearer {token}'}))\n"
        "except urllib.error.HTTPError as error:\n"
        "    print(namespace, error.code)\n"
    )
    pods.run(pod_body("pod", "python", "-c", script))
    assert pods.log() == "default 403\n"


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
    start = time.monotonic()
    pods.core.delete_namespaced_pod("pod", "default", grace_period_seconds=1)
    pods.gone()
    assert 0.9 < time.monotonic() - start < 5
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


def test_the_termination_message_is_reported(pods: Pods) -> None:
    pod = pods.run(shell("echo out of luck > /dev/termination-log; exit 1"))
    assert terminated(pod).message == "out of luck\n"


def test_the_termination_message_falls_back_to_the_log(pods: Pods) -> None:
    pod = pods.run(shell("echo last words; exit 1", terminationMessagePolicy="FallbackToLogsOnError"))
    assert terminated(pod).message == "last words\n"


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


def test_the_user_of_the_security_context_runs_the_command(pods: Pods) -> None:
    pods.run(shell("id -u; id -g", securityContext={"runAsUser": 12345, "runAsGroup": 23456}))
    assert pods.log() == "12345\n23456\n"


def test_a_read_only_root_cannot_be_written(pods: Pods) -> None:
    pod = pods.run(shell("touch /file", securityContext={"readOnlyRootFilesystem": True}))
    assert pod.status.phase == "Failed"
    assert "Read-only file system" in pods.log()


def test_events_tell_the_story_of_a_pod(core: Any, pods: Pods) -> None:
    pods.run(pod_body())
    events = core.list_namespaced_event("default", field_selector="involvedObject.name=pod").items
    assert [event.reason for event in sorted(events, key=lambda event: int(event.metadata.resource_version))] == [
        "Scheduled", "Pulled", "Started",
    ]  # fmt: skip
    assert events[0].involved_object.kind == "Pod"
