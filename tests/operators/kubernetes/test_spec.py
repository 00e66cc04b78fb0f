"""Every attribute of ``@kubernetes`` and ``@resources`` against the pod that it makes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_mlflow_provider.exception import InvalidDecoratorAttribute
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.operators.kubernetes.spec import pod_specification
from tests.operators.kubernetes.flows import manifest, request, step


def pod(node: StepNode, environ: dict[str, str] | None = None, **settings: Any) -> dict[str, Any]:
    return pod_specification(
        node, manifest(node, **settings), request(), ["python", "-c", "pass"], environ or {}
    )


def at(value: Any, path: str) -> Any:
    """The value at ``spec.containers[0].image``; ``None`` if there is none."""
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, list):
            value = value[int(part)] if int(part) < len(value) else None
        elif value is not None:
            value = value.get(part)
    return value


CONTAINER = "spec.containers[0]"
ONE_GPU = {"nvidia.com/gpu": "1"}

ATTRIBUTES: list[tuple[dict[str, Any], str, Any]] = [
    (
        {},
        f"{CONTAINER}.resources",
        {"requests": {"cpu": "1", "memory": "4096M", "ephemeral-storage": "10240M"}},
    ),
    ({"cpu": 0.5}, f"{CONTAINER}.resources.requests.cpu", "500m"),
    ({"cpu": "2.5"}, f"{CONTAINER}.resources.requests.cpu", "2500m"),
    ({"memory": "512"}, f"{CONTAINER}.resources.requests.memory", "512M"),
    ({"disk": 20000}, f"{CONTAINER}.resources.requests.ephemeral-storage", "20000M"),
    ({"disk": None}, f"{CONTAINER}.resources.requests", {"cpu": "1", "memory": "4096M"}),
    ({"cpu": None, "memory": None}, f"{CONTAINER}.resources.requests.cpu", "1"),
    ({"gpu": 1}, f"{CONTAINER}.resources.limits", ONE_GPU),
    ({"gpu": "2", "gpu_vendor": "amd"}, f"{CONTAINER}.resources.limits", {"amd.com/gpu": "2"}),
    (
        {"extended_resources": {"vendor.com/fpga": 1}},
        f"{CONTAINER}.resources.limits",
        {"vendor.com/fpga": "1"},
    ),
    (
        {"extended_resources": {"vendor.com/fpga": 1}},
        f"{CONTAINER}.resources.requests",
        {"cpu": "1", "memory": "4096M", "ephemeral-storage": "10240M", "vendor.com/fpga": "1"},
    ),
    (
        {"qos": "Guaranteed", "cpu": 2, "memory": 100, "disk": 50, "gpu": 1},
        f"{CONTAINER}.resources.limits",
        {"cpu": "2", "memory": "100M", "ephemeral-storage": "50M", **ONE_GPU},
    ),
    ({"image": "registry.example.org/a/b:1"}, f"{CONTAINER}.image", "registry.example.org/a/b:1"),
    ({"image_pull_policy": "Always"}, f"{CONTAINER}.imagePullPolicy", "Always"),
    ({"image_pull_secrets": ["one", "two"]}, "spec.imagePullSecrets", [{"name": "one"}, {"name": "two"}]),
    ({"image_pull_secrets": '["one"]'}, "spec.imagePullSecrets", [{"name": "one"}]),
    ({"service_account": "trainer"}, "spec.serviceAccountName", "trainer"),
    (
        {"secrets": "a, b"},
        f"{CONTAINER}.envFrom",
        [{"secretRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
    ),
    ({"secrets": ["a"]}, f"{CONTAINER}.envFrom", [{"secretRef": {"name": "a"}}]),
    ({"node_selector": {"pool": "gpu"}}, "spec.nodeSelector", {"pool": "gpu"}),
    ({"node_selector": "pool=gpu,zone=a"}, "spec.nodeSelector", {"pool": "gpu", "zone": "a"}),
    ({"namespace": "science"}, "metadata.namespace", "science"),
    (
        {"tolerations": [{"key": "gpu", "operator": "Exists", "toleration_seconds": 5}]},
        "spec.tolerations",
        [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 5}],
    ),
    ({"labels": {"team": "a"}}, "metadata.labels", {"team": "a"}),
    (
        {"annotations": {"note": "any text, at all: ü"}},
        "metadata.annotations",
        {"note": "any text, at all: ü"},
    ),
    (
        {"use_tmpfs": True, "memory": 1000},
        "spec.volumes[0].emptyDir",
        {"medium": "Memory", "sizeLimit": "500M"},
    ),
    ({"tmpfs_size": 300}, "spec.volumes[0].emptyDir.sizeLimit", "300M"),
    ({"tmpfs_size": 300, "use_tmpfs": False}, "spec.volumes", None),
    ({"use_tmpfs": True, "tmpfs_path": "/fast"}, f"{CONTAINER}.volumeMounts[0].mountPath", "/fast"),
    (
        {"use_tmpfs": True, "tmpfs_path": "/fast"},
        f"{CONTAINER}.env",
        [{"name": "AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR", "value": "/fast"}],
    ),
    ({"use_tmpfs": True, "tmpfs_tempdir": False}, f"{CONTAINER}.env", None),
    (
        {"persistent_volume_claims": {"data": "/data"}},
        "spec.volumes",
        [{"name": "claim-0", "persistentVolumeClaim": {"claimName": "data"}}],
    ),
    (
        {"persistent_volume_claims": {"data.set": "/data"}},
        f"{CONTAINER}.volumeMounts",
        [{"name": "claim-0", "mountPath": "/data"}],
    ),
    (
        {"shared_memory": 64},
        f"{CONTAINER}.volumeMounts",
        [{"name": "shared-memory", "mountPath": "/dev/shm"}],
    ),
    ({"shared_memory": 64}, "spec.volumes[0].emptyDir", {"medium": "Memory", "sizeLimit": "64M"}),
    ({"port": "8080"}, f"{CONTAINER}.ports", [{"containerPort": 8080}]),
    (
        {"security_context": {"run_as_user": 0, "capabilities": {"add": ["SYS_PTRACE"]}}},
        f"{CONTAINER}.securityContext",
        {"runAsUser": 0, "capabilities": {"add": ["SYS_PTRACE"]}},
    ),
    (
        {"security_context": {"readOnlyRootFilesystem": True}},
        f"{CONTAINER}.volumeMounts",
        [{"name": "tmp", "mountPath": "/tmp"}],
    ),
]


@pytest.mark.parametrize(("attributes", "path", "expected"), ATTRIBUTES)
def test_an_attribute_of_kubernetes_has_its_place_in_the_pod(
    attributes: dict[str, Any], path: str, expected: Any
) -> None:
    assert at(pod(step(kubernetes=attributes)), path) == expected


SETTINGS: list[tuple[dict[str, Any], str, Any]] = [
    ({"kubernetes_image": "own:1"}, f"{CONTAINER}.image", "own:1"),
    ({"kubernetes_namespace": "flows"}, "metadata.namespace", "flows"),
    ({"kubernetes_service_account": "runner"}, "spec.serviceAccountName", "runner"),
    ({"kubernetes_labels": {"team": "b", "tier": 1}}, "metadata.labels", {"team": "b", "tier": "1"}),
    ({"kubernetes_annotations": {"audit": True}}, "metadata.annotations", {"audit": "true"}),
    ({"default_runtime_limit": 100, "timeout_grace_s": 5}, "spec.activeDeadlineSeconds", 105),
    ({"runtime_image": "runtime:1"}, "spec.initContainers[0].image", "runtime:1"),
    ({"runtime_image": "runtime:1"}, "spec.volumes", [{"name": "runtime", "emptyDir": {}}]),
    (
        {"runtime_image": "runtime:1"},
        "spec.initContainers[0].command",
        ["cp", "-R", "/opt/mlflow-runtime/.", "/mlflow-runtime"],
    ),
    (
        {"runtime_image": "runtime:1"},
        f"{CONTAINER}.env",
        [{"name": "MLFLOW_PROVIDER_RUNTIME", "value": "/mlflow-runtime"}],
    ),
]


@pytest.mark.parametrize(("settings", "path", "expected"), SETTINGS)
def test_a_setting_of_the_deployment_has_its_place_in_the_pod(
    settings: dict[str, Any], path: str, expected: Any
) -> None:
    assert at(pod(step(), **settings), path) == expected


def test_the_step_wins_over_the_deployment() -> None:
    own = {"image": "a", "namespace": "n", "service_account": "s", "labels": {"team": "x"}}
    found = pod(
        step(kubernetes=own),
        kubernetes_image="b",
        kubernetes_namespace="m",
        kubernetes_service_account="t",
        kubernetes_labels={"team": "y", "tier": "1"},
    )
    assert at(found, f"{CONTAINER}.image") == "a"
    assert at(found, "metadata.namespace") == "n"
    assert at(found, "spec.serviceAccountName") == "s"
    assert at(found, "metadata.labels") == {"team": "x", "tier": "1"}


@pytest.mark.parametrize(
    ("name", "small", "large", "path", "expected"),
    [
        ("cpu", 1, 3, f"{CONTAINER}.resources.requests.cpu", "3"),
        ("memory", 100, 9000, f"{CONTAINER}.resources.requests.memory", "9000M"),
        ("disk", 1, 20000, f"{CONTAINER}.resources.requests.ephemeral-storage", "20000M"),
        ("gpu", 1, 2, f"{CONTAINER}.resources.limits", {"nvidia.com/gpu": "2"}),
        ("shared_memory", 10, 20, "spec.volumes[0].emptyDir.sizeLimit", "20M"),
    ],
)
def test_of_resources_and_kubernetes_the_larger_size_counts(
    name: str, small: int, large: int, path: str, expected: Any
) -> None:
    assert at(pod(step(kubernetes={name: small}, resources={name: large})), path) == expected
    assert at(pod(step(kubernetes={name: large}, resources={name: small})), path) == expected


def test_a_compute_pool_fills_in_what_the_step_leaves_open() -> None:
    pools = {
        "gpu": {
            "node_selector": {"pool": "gpu", "zone": "a"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "image": "cuda:1",
        }
    }
    found = pod(step(kubernetes={"compute_pool": "gpu", "node_selector": {"zone": "b"}}), compute_pools=pools)
    assert at(found, "spec.nodeSelector") == {"pool": "gpu", "zone": "b"}
    assert at(found, "spec.tolerations") == [{"key": "gpu", "operator": "Exists"}]
    assert at(found, f"{CONTAINER}.image") == "cuda:1"


@pytest.mark.parametrize(
    "attributes",
    [
        {"qos": "besteffort"},
        {"cpu": "many"},
        {"cpu": -1},
        {"memory": float("nan")},
        {"gpu": "one"},
        {"port": 70000},
        {"compute_pool": "nowhere"},
        {"tolerations": ["gpu"]},
        {"tolerations": "[{"},
        {"secrets": "[a"},
        {"node_selector": ["gpu"]},
        {"secrets": {"a": "b"}},
        {"persistent_volume_claims": ["data"]},
        {"extended_resources": {"vendor.com/fpga": "x"}},
    ],
)
def test_an_attribute_that_cannot_become_part_of_a_pod_is_named(attributes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDecoratorAttribute) as caught:
        pod(step(kubernetes=attributes))
    (name,) = attributes
    assert name in caught.value.message
    assert caught.value.where["step"] == "train"
    assert caught.value.lineno == 7
    assert caught.value.fix


def test_the_deadline_is_the_limit_and_the_grace() -> None:
    node = step(timeout={"seconds": 30, "minutes": 1, "hours": 0})
    assert at(pod(node, timeout_grace_s=60), "spec.activeDeadlineSeconds") == 150


def test_the_deadline_of_a_shard_allows_for_all_of_its_rounds() -> None:
    node = step(timeout={"seconds": 10})
    paths = tuple((index,) for index in range(5))
    wanted = request(paths=paths, max_workers=2)
    found = pod_specification(node, manifest(node, timeout_grace_s=60), wanted, [], {})
    assert at(found, "spec.activeDeadlineSeconds") == 3 * 10 + 60


def test_the_deadline_never_exceeds_what_kubernetes_allows() -> None:
    node = step(timeout={"hours": 10**6})
    assert at(pod(node), "spec.activeDeadlineSeconds") == 2**31 - 1


def test_a_guaranteed_pod_is_guaranteed_with_its_init_container() -> None:
    found = pod(step(kubernetes={"qos": "guaranteed"}), runtime_image="runtime:1")
    for container in (*found["spec"]["containers"], *found["spec"]["initContainers"]):
        assert container["resources"]["requests"] == container["resources"]["limits"]
