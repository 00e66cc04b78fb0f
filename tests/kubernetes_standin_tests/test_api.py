"""Authentication, verbs, content types, selectors, lists, watches, patches and the smaller resources."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, execute, pod_body, shell, wait_until

PODS = "/api/v1/namespaces/default/pods"


def call(standin: KubernetesStandin, method: str, path: str, token: str | None = None, **options: Any) -> Any:
    """One plain HTTP request."""
    headers = {
        "Authorization": f"Bearer {standin.token if token is None else token}",
        **options.pop("headers", {}),
    }
    return requests.request(method, standin.url + path, headers=headers, timeout=60, **options)


@pytest.mark.parametrize("token", ["", "wrong"])
def test_an_unknown_token_is_unauthorized(standin: KubernetesStandin, token: str) -> None:
    answer = call(standin, "GET", PODS, token=token)
    assert answer.status_code == 401
    assert answer.json()["reason"] == "Unauthorized"


def test_a_user_without_rights_is_forbidden(standin: KubernetesStandin) -> None:
    with (
        config.new_client_from_config(str(standin.kubeconfig_no_rights)) as api,
        pytest.raises(ApiException) as error,
    ):
        client.CoreV1Api(api).list_namespaced_pod("default")
    assert error.value.status == 403
    expected = 'pods is forbidden: User "standin-nobody" cannot list resource "pods" in API group "" in the namespace "default"'
    assert json.loads(error.value.body)["message"] == expected


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PUT", PODS, 405),
        ("POST", "/api/v1/pods", 405),
        ("POST", f"{PODS}/pod", 405),
        ("PATCH", PODS, 405),
        ("POST", "/api/v1/nodes", 405),
        ("DELETE", "/api/v1/nodes/standin-node", 405),
        ("POST", f"{PODS}/pod/log", 405),
        ("GET", "/api/v1/namespaces/default/doughnuts", 404),
        ("GET", "/apis/apps/v1/namespaces/default/deployments", 404),
        ("GET", f"{PODS}/pod/attach", 404),
        ("GET", f"{PODS}/nobody", 404),
    ],
)
def test_a_wrong_verb_or_path_is_refused(
    standin: KubernetesStandin, method: str, path: str, code: int
) -> None:
    answer = call(standin, method, path, json={})
    assert (answer.status_code, answer.json()["kind"]) == (code, "Status")


def test_a_wrong_content_type_is_unsupported(standin: KubernetesStandin) -> None:
    answer = call(standin, "POST", PODS, data="{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["reason"]) == (415, "UnsupportedMediaType")
    answer = call(standin, "PATCH", f"{PODS}/pod", json={})
    assert answer.status_code == 415


def test_yaml_is_understood_and_duplicate_keys_are_not(standin: KubernetesStandin) -> None:
    manifest = "metadata: {name: c}\ndata: {a: b}\n"
    path = "/api/v1/namespaces/default/configmaps"
    assert (
        call(standin, "POST", path, data=manifest, headers={"Content-Type": "application/yaml"}).status_code
        == 201
    )
    body = '{"metadata": {"name": "a", "name": "b"}}'
    answer = call(standin, "POST", path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert 'duplicate field "name"' in answer.json()["message"]


def test_version_and_discovery(standin: KubernetesStandin, api_client: Any) -> None:
    assert client.VersionApi(api_client).get_code().major == "1"
    names = {resource.name for resource in client.CoreV1Api(api_client).get_api_resources().resources}
    assert {"pods", "pods/log", "pods/exec", "secrets", "namespaces"} <= names
    assert client.BatchV1Api(api_client).get_api_resources().resources[0].name == "jobs"


SELECTORS = [
    ("step=train", {"a"}),
    ("step==train", {"a"}),
    ("step!=train", {"b", "c"}),
    ("step in (train, test)", {"a", "b"}),
    ("step notin (train)", {"b", "c"}),
    ("step", {"a", "b"}),
    ("!step", {"c"}),
    ("step=train,try_number=1,already_checked!=True,!airflow-worker", {"a"}),
    ("step=train,try_number=2", set()),
]


@pytest.mark.parametrize(("selector", "names"), SELECTORS)
def test_label_selectors_select(core: Any, selector: str, names: set[str]) -> None:
    for name, labels in (("a", {"step": "train", "try_number": "1"}), ("b", {"step": "test"}), ("c", {})):
        core.create_namespaced_config_map("default", {"metadata": {"name": name, "labels": labels}})
    found = core.list_namespaced_config_map("default", label_selector=selector).items
    assert {item.metadata.name for item in found} - {"kube-root-ca.crt"} == names


@pytest.mark.parametrize("options", [
    {"label_selector": "a=b=c"}, {"label_selector": "a in b"}, {"label_selector": "-a"},
    {"field_selector": "spec.image=x"}, {"field_selector": "metadata.name"},
])  # fmt: skip
def test_a_selector_that_does_not_parse_is_a_bad_request(core: Any, options: dict[str, str]) -> None:
    with pytest.raises(ApiException) as error:
        core.list_namespaced_pod("default", **options)
    assert error.value.status == 400


def test_field_selectors_select(core: Any, pods: Pods) -> None:
    pods.run(pod_body("done"))
    pods.create(pod_body("busy", "sleep", "60"))
    pods.running("busy")

    def names(selector: str) -> list[str]:
        return [
            pod.metadata.name for pod in core.list_namespaced_pod("default", field_selector=selector).items
        ]

    assert names("status.phase=Running") == ["busy"]
    assert names("status.phase!=Running,metadata.namespace=default") == ["done"]
    assert names("metadata.name=busy") == ["busy"]


def test_lists_come_in_pages(core: Any) -> None:
    for name in "abcd":
        core.create_namespaced_secret("default", {"metadata": {"name": name}})
    first = core.list_namespaced_secret("default", limit=3)
    assert [item.metadata.name for item in first.items] == ["a", "b", "c"]
    assert first.metadata.remaining_item_count == 1
    rest = core.list_namespaced_secret("default", limit=3, _continue=first.metadata._continue)
    assert [item.metadata.name for item in rest.items] == ["d"]
    assert rest.metadata._continue is None


def test_a_list_of_a_missing_namespace_is_empty(core: Any) -> None:
    assert core.list_namespaced_pod("nowhere").items == []


def test_a_watch_tells_what_changes(core: Any, pods: Pods) -> None:
    version = core.list_namespaced_pod("default").metadata.resource_version
    pods.run(pod_body())
    core.delete_namespaced_pod("pod", "default")
    events = []
    for event in watch.Watch().stream(
        core.list_namespaced_pod, "default", resource_version=version, timeout_seconds=60
    ):
        events.append((event["type"], event["object"].status.phase))
        if event["type"] == "DELETED":
            break
    assert events[0] == ("ADDED", "Pending")
    assert ("MODIFIED", "Running") in events
    assert events[-1] == ("DELETED", "Succeeded")


def test_a_watch_of_a_selection_sees_objects_enter_and_leave(core: Any) -> None:
    core.create_namespaced_config_map("default", {"metadata": {"name": "c", "labels": {"on": "no"}}})
    version = core.list_namespaced_config_map("default").metadata.resource_version
    for value in ("yes", "no"):
        core.patch_namespaced_config_map("c", "default", {"metadata": {"labels": {"on": value}}})
    stream = watch.Watch().stream(
        core.list_namespaced_config_map,
        "default",
        label_selector="on=yes",
        resource_version=version,
        timeout_seconds=1,
    )
    assert [event["type"] for event in stream] == ["ADDED", "DELETED"]


def test_a_watch_begins_with_what_there_is_and_ends_in_time(core: Any) -> None:
    core.create_namespaced_config_map("default", {"metadata": {"name": "c"}})
    stream = watch.Watch().stream(core.list_namespaced_config_map, "default", timeout_seconds=1)
    assert {event["object"].metadata.name for event in stream} == {"c", "kube-root-ca.crt"}


def test_patches_of_every_format_change_labels(standin: KubernetesStandin, core: Any, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    core.patch_namespaced_pod("pod", "default", {"metadata": {"labels": {"a": "1", "b": "1"}}})
    core.patch_namespaced_pod("pod", "default", [{"op": "add", "path": "/metadata/labels/c", "value": "1"}])
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = call(
        standin, "PATCH", f"{PODS}/pod", data='{"metadata": {"labels": {"b": null}}}', headers=headers
    )
    assert answer.status_code == 200
    assert pods.get().metadata.labels == {"a": "1", "c": "1"}
    assert pods.get().spec.containers[0].command == ["sleep", "60"]


def test_a_strategic_patch_merges_containers_by_name(core: Any, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    change = {"spec": {"containers": [{"name": "base", "image": "python:3.12"}]}}
    container = core.patch_namespaced_pod("pod", "default", change).spec.containers[0]
    assert (container.image, container.command) == ("python:3.12", ["sleep", "60"])


def test_an_update_of_an_old_version_is_a_conflict(core: Any) -> None:
    old = core.create_namespaced_config_map("default", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    core.patch_namespaced_config_map("c", "default", {"data": {"a": "2"}})
    with pytest.raises(ApiException) as error:
        core.replace_namespaced_config_map("c", "default", old)
    assert error.value.status == 409
    assert "the object has been modified" in str(error.value.body)


def test_secrets_encode_their_string_data(core: Any) -> None:
    core.create_namespaced_secret("default", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    secret = core.read_namespaced_secret("s", "default")
    assert (secret.data, secret.string_data, secret.type) == ({"a": "Yg=="}, None, "Opaque")
    assert core.delete_namespaced_secret("s", "default").status == "Success"


def test_a_collection_is_deleted_by_its_labels(core: Any) -> None:
    for name in ("a", "b"):
        core.create_namespaced_secret("default", {"metadata": {"name": name, "labels": {"name": name}}})
    core.delete_collection_namespaced_secret("default", label_selector="name=a")
    assert [item.metadata.name for item in core.list_namespaced_secret("default").items] == ["b"]


def test_a_finalizer_delays_the_deletion(core: Any) -> None:
    metadata = {"name": "c", "finalizers": ["example.com/hold"]}
    core.create_namespaced_config_map("default", {"metadata": metadata})
    core.delete_namespaced_config_map("c", "default")
    assert core.read_namespaced_config_map("c", "default").metadata.deletion_timestamp is not None
    core.patch_namespaced_config_map("c", "default", [{"op": "remove", "path": "/metadata/finalizers"}])
    with pytest.raises(ApiException) as error:
        core.read_namespaced_config_map("c", "default")
    assert error.value.status == 404


def test_a_precondition_protects_a_newer_pod(core: Any, pods: Pods) -> None:
    pods.create(pod_body("pod", "sleep", "60"))
    with pytest.raises(ApiException) as error:
        core.delete_namespaced_pod("pod", "default", body={"preconditions": {"uid": "another"}})
    assert error.value.status == 409


def test_logs_follow_a_running_container(pods: Pods, core: Any) -> None:
    pods.create(shell("echo one; until test -e /tmp/go; do sleep 0.02; done; echo two"))
    pods.running()
    response = core.read_namespaced_pod_log("pod", "default", follow=True, _preload_content=False)
    lines: list[bytes] = []
    reading = threading.Thread(target=lambda: lines.extend(response))
    reading.start()
    wait_until("the first line", lambda: lines)
    execute(pods, "touch", "/tmp/go")
    reading.join(60)
    assert lines == [b"one\n", b"two\n"]


def test_logs_can_be_cut_and_stamped(pods: Pods) -> None:
    pods.run(shell("for i in 1 2 3 4; do echo line $i; done; printf end"))
    assert pods.log(tail_lines=2) == "line 4\nend"
    assert pods.log(limit_bytes=6) == "line 1"
    stamp, text = pods.log(timestamps=True).splitlines()[0].split(" ", 1)
    assert text == "line 1"
    assert stamp.endswith("Z")
    assert len(stamp) == len("2026-11-23T19:14:00.965323882Z")
    assert pods.log(since_seconds=3600).startswith("line 1")


def test_a_long_line_arrives_whole(pods: Pods) -> None:
    pods.run(pod_body("pod", "python", "-c", "print('x' * 100_000); print('y')"))
    assert pods.log(timestamps=True).splitlines()[0].endswith(" " + "x" * 100_000)


def test_logs_of_a_pod_that_waits_are_a_bad_request(pods: Pods) -> None:
    pods.create(pod_body(image="missing"))
    pods.waiting("ImagePullBackOff")
    with pytest.raises(ApiException) as error:
        pods.log()
    assert error.value.status == 400
    assert "is waiting to start" in str(error.value.body)


def test_logs_of_several_containers_need_a_name(pods: Pods) -> None:
    body = pod_body()
    body["spec"]["containers"].append({"name": "other", "image": "python", "command": ["true"]})
    pods.run(body)
    with pytest.raises(ApiException) as error:
        pods.log()
    assert "a container name must be specified for pod pod, choose one of: [base other]" in str(
        error.value.body
    )
    with pytest.raises(ApiException) as error:
        pods.log(container="third")
    assert error.value.status == 400
