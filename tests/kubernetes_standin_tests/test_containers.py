"""What a container sees: environment, volumes, user, file system."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from tests.kubernetes_standin_tests.pods import Pods, pod_body, shell, terminated

PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def environment(pods: Pods, **container: Any) -> dict[str, str]:
    """The environment of a container."""
    body = pod_body("pod", "python", "-c", PRINT_ENVIRONMENT, **container)
    body["metadata"]["labels"] = {"step": "train"}
    assert pods.run(body).status.phase == "Succeeded"
    variables: dict[str, str] = json.loads(pods.log())
    return variables


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
        "until cat /shared/file; do sleep 0.05; done; ls /tmp/mine 2>/dev/null; echo seen > /shared/answer",
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


def test_the_termination_message_is_reported(pods: Pods) -> None:
    pod = pods.run(shell("echo out of luck > /dev/termination-log; exit 1"))
    assert terminated(pod).message == "out of luck\n"


def test_the_termination_message_falls_back_to_the_log(pods: Pods) -> None:
    pod = pods.run(shell("echo last words; exit 1", terminationMessagePolicy="FallbackToLogsOnError"))
    assert terminated(pod).message == "last words\n"


def test_the_user_of_the_security_context_runs_the_command(pods: Pods) -> None:
    pods.run(shell("id -u; id -g", securityContext={"runAsUser": 12345, "runAsGroup": 23456}))
    assert pods.log() == "12345\n23456\n"


def test_a_read_only_root_cannot_be_written(pods: Pods) -> None:
    pod = pods.run(shell("touch /file", securityContext={"readOnlyRootFilesystem": True}))
    assert pod.status.phase == "Failed"
    assert "Read-only file system" in pods.log()
