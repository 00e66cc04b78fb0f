"""Every rule the stand-in enforces, as the official client meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from tests.kubernetes_standin_tests.pods import pod_body

Change = Callable[[dict[str, Any]], object]


def refused(create: Callable[[], object]) -> dict[str, Any]:
    """The ``Status`` of a refusal."""
    with pytest.raises(ApiException) as refusal:
        create()
    status: dict[str, Any] = json.loads(refusal.value.body)
    assert status["kind"] == "Status"
    assert status["code"] == refusal.value.status
    return status


def base(body: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = body["spec"]["containers"][0]
    return container


def requests_over_limits(body: dict[str, Any]) -> None:
    base(body)["resources"] = {"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}


def two_containers_of_one_name(body: dict[str, Any]) -> None:
    body["spec"]["containers"].append(dict(base(body)))


def two_volumes_of_one_name(body: dict[str, Any]) -> None:
    body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]


def two_mounts_at_one_path(body: dict[str, Any]) -> None:
    body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    base(body)["volumeMounts"] = [{"name": "v", "mountPath": "/d"}, {"name": "v", "mountPath": "/d"}]


INVALID: dict[str, tuple[Change, str, str]] = {
    "upper case name": (lambda b: b["metadata"].update(name="Pod"), "metadata.name", "FieldValueInvalid"),
    "name with underscore": (lambda b: b["metadata"].update(name="a_b"), "metadata.name", "FieldValueInvalid"),
    "name of 254 characters": (lambda b: b["metadata"].update(name="a" * 254), "metadata.name", "FieldValueInvalid"),
    "no name": (lambda b: b["metadata"].pop("name"), "metadata.name", "FieldValueRequired"),
    "bad generateName": (
        lambda b: b.update(metadata={"generateName": "A-"}), "metadata.generateName", "FieldValueInvalid",
    ),
    "label value of 64 characters": (
        lambda b: b["metadata"].update(labels={"a": "x" * 64}), "metadata.labels", "FieldValueInvalid",
    ),
    "label value with a slash": (
        lambda b: b["metadata"].update(labels={"a": "x/y"}), "metadata.labels", "FieldValueInvalid",
    ),
    "label key with two slashes": (
        lambda b: b["metadata"].update(labels={"a/b/c": "x"}), "metadata.labels", "FieldValueInvalid",
    ),
    "annotation key with a space": (
        lambda b: b["metadata"].update(annotations={"a b": "x"}), "metadata.annotations", "FieldValueInvalid",
    ),
    "annotations of 300 kB": (
        lambda b: b["metadata"].update(annotations={"a": "x" * 300_000}), "metadata.annotations", "FieldValueTooLong",
    ),
    "no containers": (lambda b: b["spec"].update(containers=[]), "spec.containers", "FieldValueRequired"),
    "container without a name": (lambda b: base(b).pop("name"), "spec.containers[0].name", "FieldValueRequired"),
    "container without an image": (lambda b: base(b).pop("image"), "spec.containers[0].image", "FieldValueRequired"),
    "container name with a dot": (lambda b: base(b).update(name="a.b"), "spec.containers[0].name", "FieldValueInvalid"),
    "two containers of one name": (two_containers_of_one_name, "spec.containers[1].name", "FieldValueDuplicate"),
    "restartPolicy never": (
        lambda b: b["spec"].update(restartPolicy="never"), "spec.restartPolicy", "FieldValueNotSupported",
    ),
    "dnsPolicy": (lambda b: b["spec"].update(dnsPolicy="Mine"), "spec.dnsPolicy", "FieldValueNotSupported"),
    "imagePullPolicy": (
        lambda b: base(b).update(imagePullPolicy="always"), "spec.containers[0].imagePullPolicy", "FieldValueNotSupported",
    ),
    "activeDeadlineSeconds 0": (
        lambda b: b["spec"].update(activeDeadlineSeconds=0), "spec.activeDeadlineSeconds", "FieldValueInvalid",
    ),
    "negative grace": (
        lambda b: b["spec"].update(terminationGracePeriodSeconds=-1),
        "spec.terminationGracePeriodSeconds", "FieldValueInvalid",
    ),
    "hostname": (lambda b: b["spec"].update(hostname="a.b"), "spec.hostname", "FieldValueInvalid"),
    "bad quantity": (
        lambda b: base(b).update(resources={"limits": {"memory": "4 GB"}}),
        "spec.containers[0].resources.limits.memory", "FieldValueInvalid",
    ),
    "negative quantity": (
        lambda b: base(b).update(resources={"limits": {"memory": "-1"}}),
        "spec.containers[0].resources.limits[memory]", "FieldValueInvalid",
    ),
    "requests over limits": (requests_over_limits, "spec.containers[0].resources.requests", "FieldValueInvalid"),
    "unknown resource": (
        lambda b: base(b).update(resources={"limits": {"gpu": "1"}}), "spec.containers[0].resources.limits", "FieldValueInvalid",
    ),
    "half a GPU": (
        lambda b: base(b).update(resources={"limits": {"nvidia.com/gpu": "500m"}}),
        "spec.containers[0].resources.limits[nvidia.com/gpu]", "FieldValueInvalid",
    ),
    "GPU request without a limit": (
        lambda b: base(b).update(resources={"requests": {"nvidia.com/gpu": "1"}}),
        "spec.containers[0].resources.limits", "FieldValueRequired",
    ),
    "mount of an undefined volume": (
        lambda b: base(b).update(volumeMounts=[{"name": "v", "mountPath": "/d"}]),
        "spec.containers[0].volumeMounts[0].name", "FieldValueNotFound",
    ),
    "two mounts at one path": (
        two_mounts_at_one_path, "spec.containers[0].volumeMounts[1].mountPath", "FieldValueInvalid",
    ),
    "two volumes of one name": (two_volumes_of_one_name, "spec.volumes[1].name", "FieldValueDuplicate"),
    "volume without a source": (
        lambda b: b["spec"].update(volumes=[{"name": "v"}]), "spec.volumes[0]", "FieldValueRequired",
    ),
    "volume with two sources": (
        lambda b: b["spec"].update(volumes=[{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]),
        "spec.volumes[0].secret", "FieldValueForbidden",
    ),
    "claim volume without a claim": (
        lambda b: b["spec"].update(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": ""}}]),
        "spec.volumes[0].persistentVolumeClaim.claimName", "FieldValueRequired",
    ),
    "hostPath type": (
        lambda b: b["spec"].update(volumes=[{"name": "v", "hostPath": {"path": "/", "type": "Folder"}}]),
        "spec.volumes[0].hostPath.type", "FieldValueNotSupported",
    ),
    "emptyDir size": (
        lambda b: b["spec"].update(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "big"}}]),
        "spec.volumes[0].emptyDir.sizeLimit", "FieldValueInvalid",
    ),
    "environment name with a space": (
        lambda b: base(b).update(env=[{"name": "A B", "value": "1"}]), "spec.containers[0].env[0].name", "FieldValueInvalid",
    ),
    "environment value and source": (
        lambda b: base(b).update(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        "spec.containers[0].env[0].valueFrom", "FieldValueInvalid",
    ),
    "unknown field path": (
        lambda b: base(b).update(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]),
        "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath", "FieldValueNotSupported",
    ),
    "port 70000": (
        lambda b: base(b).update(ports=[{"containerPort": 70000}]),
        "spec.containers[0].ports[0].containerPort", "FieldValueInvalid",
    ),
    "toleration operator": (
        lambda b: b["spec"].update(tolerations=[{"key": "a", "operator": "Is"}]),
        "spec.tolerations[0].operator", "FieldValueNotSupported",
    ),
    "toleration without a key": (
        lambda b: b["spec"].update(tolerations=[{"value": "a"}]), "spec.tolerations[0].operator", "FieldValueInvalid",
    ),
    "node selector value": (
        lambda b: b["spec"].update(nodeSelector={"a": "b c"}), "spec.nodeSelector", "FieldValueInvalid",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "field", "reason"), INVALID.values(), ids=INVALID.keys())
def test_a_pod_that_breaks_a_rule_is_refused_with_the_field(
    core: Any, change: Change, field: str, reason: str
) -> None:
    body = pod_body()
    change(body)
    status = refused(lambda: core.create_namespaced_pod("default", body))
    assert (status["code"], status["reason"]) == (422, "Invalid")
    causes = [(cause["field"], cause["reason"]) for cause in status["details"]["causes"]]
    assert (field, reason) in causes
    assert field in status["message"]
    assert core.list_namespaced_pod("default").items == []


UNREADABLE: dict[str, tuple[Change, str]] = {
    "unknown field": (lambda b: b["spec"].update(colour="red"), 'unknown field "spec.colour"'),
    "unknown field deep inside": (
        lambda b: base(b).update(securityContext={"runAsUsr": 1}),
        'unknown field "spec.containers[0].securityContext.runAsUsr"',
    ),
    "python name instead of the JSON name": (
        lambda b: b["spec"].update(restart_policy="Never"), 'unknown field "spec.restart_policy"',
    ),
    "number as environment value": (
        lambda b: base(b).update(env=[{"name": "A", "value": 1}]), "cannot unmarshal number into Go struct field",
    ),
    "number as label": (lambda b: b["metadata"].update(labels={"a": 1}), "cannot unmarshal number into Go struct field"),
    "string as number": (
        lambda b: b["spec"].update(activeDeadlineSeconds="5"), "cannot unmarshal string into Go struct field",
    ),
    "string as list": (lambda b: base(b).update(command="ls"), "cannot unmarshal string into Go struct field"),
    "boolean as number": (
        lambda b: b["spec"].update(activeDeadlineSeconds=True), "cannot unmarshal bool into Go struct field",
    ),
    "other kind": (lambda b: b.update(kind="Secret"), "must be of type Pod"),
    "other version": (lambda b: b.update(apiVersion="v2"), "must be of type Pod"),
    "other namespace": (
        lambda b: b["metadata"].update(namespace="elsewhere"), "does not match the namespace sent on the request",
    ),
    "resource version": (
        lambda b: b["metadata"].update(resourceVersion="1"), "resourceVersion should not be set on objects to be created",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_that_is_no_pod_is_a_bad_request(core: Any, change: Change, message: str) -> None:
    body = pod_body()
    change(body)
    status = refused(lambda: core.create_namespaced_pod("default", body))
    assert (status["code"], status["reason"]) == (400, "BadRequest")
    assert message in status["message"]


def test_several_problems_are_reported_together(core: Any) -> None:
    body = pod_body("Bad")
    body["spec"]["restartPolicy"] = "Sometimes"
    status = refused(lambda: core.create_namespaced_pod("default", body))
    assert len(status["details"]["causes"]) == 2
    assert status["message"].startswith('Pod "Bad" is invalid: [')


def test_a_number_is_a_good_quantity(core: Any) -> None:
    body = pod_body(resources={"limits": {"cpu": 1, "memory": 1.5e9}})
    created = core.create_namespaced_pod("default", body)
    assert created.spec.containers[0].resources.requests["cpu"] == "1"


def test_a_missing_service_account_is_forbidden(core: Any) -> None:
    body = pod_body()
    body["spec"]["serviceAccountName"] = "ghost"
    status = refused(lambda: core.create_namespaced_pod("default", body))
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert (
        'error looking up service account default/ghost: serviceaccount "ghost" not found'
        in status["message"]
    )


def test_a_missing_priority_class_is_forbidden(core: Any) -> None:
    body = pod_body()
    body["spec"]["priorityClassName"] = "urgent"
    assert refused(lambda: core.create_namespaced_pod("default", body))["code"] == 403


def test_a_taken_name_already_exists(core: Any) -> None:
    core.create_namespaced_pod("default", pod_body())
    status = refused(lambda: core.create_namespaced_pod("default", pod_body()))
    assert (status["code"], status["reason"]) == (409, "AlreadyExists")
    assert status["message"] == 'pods "pod" already exists'


def test_a_missing_namespace_is_not_found(core: Any) -> None:
    status = refused(lambda: core.create_namespaced_pod("nowhere", pod_body()))
    assert (status["code"], status["message"]) == (404, 'namespaces "nowhere" not found')


def test_generate_name_adds_five_characters(core: Any) -> None:
    body = pod_body()
    body["metadata"] = {"generateName": "train-"}
    names = {core.create_namespaced_pod("default", body).metadata.name for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("train-") and len(name) == 11 for name in names)


def test_the_specification_of_a_pod_cannot_change(core: Any) -> None:
    core.create_namespaced_pod("default", pod_body("pod", "sleep", "60"))
    change = {"spec": {"containers": [{"name": "base", "command": ["false"]}]}}
    status = refused(lambda: core.patch_namespaced_pod("pod", "default", change))
    assert status["code"] == 422
    assert status["details"]["causes"][0]["field"] == "spec"
    assert "pod updates may not change fields other than" in status["message"]


def test_dry_run_stores_nothing(core: Any) -> None:
    assert core.create_namespaced_pod("default", pod_body(), dry_run="All").metadata.name == "pod"
    assert core.list_namespaced_pod("default").items == []


SECRETS: dict[str, tuple[dict[str, Any], int]] = {
    "key with a space": ({"stringData": {"a b": "x"}}, 422),
    "data that is not base64": ({"data": {"a": "not base64!"}}, 400),
    "docker configuration without its key": (
        {"type": "kubernetes.io/dockerconfigjson", "stringData": {}},
        422,
    ),
    "too much data": ({"stringData": {"a": "x" * 1_100_000}}, 422),
}


@pytest.mark.parametrize(("secret", "code"), SECRETS.values(), ids=SECRETS.keys())
def test_a_bad_secret_is_refused(core: Any, secret: dict[str, Any], code: int) -> None:
    body = {"metadata": {"name": "s"}, **secret}
    assert refused(lambda: core.create_namespaced_secret("default", body))["code"] == code


def test_an_immutable_secret_cannot_change(core: Any) -> None:
    core.create_namespaced_secret(
        "default", {"metadata": {"name": "s"}, "stringData": {"a": "1"}, "immutable": True}
    )
    change = {"stringData": {"a": "2"}}
    assert refused(lambda: core.patch_namespaced_secret("s", "default", change))["code"] == 422


def test_a_claim_without_a_size_is_refused(core: Any) -> None:
    body = {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    status = refused(lambda: core.create_namespaced_persistent_volume_claim("default", body))
    assert status["details"]["causes"][0]["field"] == "spec.resources[storage]"


def job_body(**spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": pod_body()["spec"]["containers"]}}
    return {"metadata": {"name": "job"}, "spec": {"template": template, **spec}}


JOBS: dict[str, tuple[Change, str]] = {
    "restartPolicy Always": (
        lambda b: b["spec"]["template"]["spec"].update(restartPolicy="Always"), "spec.template.spec.restartPolicy",
    ),
    "no restartPolicy": (
        lambda b: b["spec"]["template"]["spec"].pop("restartPolicy"), "spec.template.spec.restartPolicy",
    ),
    "Indexed without completions": (
        lambda b: b["spec"].update(completionMode="Indexed", parallelism=2), "spec.completions",
    ),
    "completion mode": (lambda b: b["spec"].update(completionMode="indexed"), "spec.completionMode"),
    "negative parallelism": (lambda b: b["spec"].update(parallelism=-1), "spec.parallelism"),
    "name too long for an index": (
        lambda b: b.update(metadata={"name": "j" * 63}, spec={**b["spec"], "completionMode": "Indexed", "completions": 2}),
        "metadata.name",
    ),
    "own selector": (lambda b: b["spec"].update(selector={"matchLabels": {"a": "b"}}), "spec.selector"),
    "what the stand-in lacks": (lambda b: b["spec"].update(backoffLimitPerIndex=1), "spec.backoffLimitPerIndex"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "field"), JOBS.values(), ids=JOBS.keys())
def test_a_job_that_breaks_a_rule_is_refused_with_the_field(batch: Any, change: Change, field: str) -> None:
    body = job_body()
    change(body)
    status = refused(lambda: batch.create_namespaced_job("default", body))
    assert status["code"] == 422
    assert field in [cause["field"] for cause in status["details"]["causes"]]
