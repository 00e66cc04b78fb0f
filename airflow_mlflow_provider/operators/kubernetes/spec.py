"""From a step to the specification of its pod, as plain JSON in Kubernetes' own spelling. Pure: nothing is asked or read.

Every attribute of ``@kubernetes`` has its one place here; what the flow's deployment configures (image, namespace, service
account, labels, annotations) fills in where the step says nothing.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.operators.kubernetes.environment import container_variables, literal, setting
from airflow_mlflow_provider.operators.kubernetes.resources import (
    attributes,
    container_resources,
    invalid,
    number,
    placing_resources,
)
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.meeting import ADDRESS_VARIABLE
from airflow_mlflow_provider.runtime.request import UnitRequest

Json = dict[str, Any]

CONTAINER = "base"
PLACING_CONTAINER = "place-runtime"
RUNTIME_PATH = "/mlflow-runtime"
# Where a runtime image keeps the packages, in a folder for each version of Python ("python3.11").
RUNTIME_SOURCE = "/opt/mlflow-runtime"
_RUNTIME_MOUNT = {"name": "runtime", "mountPath": RUNTIME_PATH}
_LONGEST_DEADLINE = 2**31 - 1


def pod_image(step: StepNode, manifest: FlowManifest) -> str:
    """The image of the step's container: of ``@kubernetes``, else of the deployment."""
    own = effective_attributes(step, manifest).get("image")
    fallback = f"python:{sys.version_info.major}.{sys.version_info.minor}"
    return str(own or setting(manifest, "kubernetes_image") or fallback)


def pod_specification(
    step: StepNode,
    manifest: FlowManifest,
    request: UnitRequest,
    command: list[str],
    environ: Mapping[str, str],
) -> Json:
    """The pod that runs ``request``, without a name, labels or annotations of its own identity.

    Args:
        step: The step whose decorators decide; the first one of a fused unit.
        manifest: The flow.
        request: What the pod runs; its steps and paths decide on the deadline.
        command: What the container is told to do, escaped for Kubernetes.
        environ: The environment of this worker.

    Raises:
        InvalidDecoratorAttribute: An attribute cannot become part of a pod.
    """
    merged = effective_attributes(step, manifest)
    volumes, mounts = _volumes(step, merged)
    runtime_image = setting(manifest, "runtime_image")
    if runtime_image:
        volumes.append({"name": "runtime", "emptyDir": {}})
        mounts.append(_RUNTIME_MOUNT)
    container: Json = {
        "name": CONTAINER,
        "image": pod_image(step, manifest),
        "imagePullPolicy": merged.get("image_pull_policy"),
        "command": command,
        "resources": container_resources(step, merged),
        "env": [*_variables(step, manifest, merged, environ, bool(runtime_image)), *_own_address(request)],
        "envFrom": [{"secretRef": {"name": name}} for name in _names(step, "secrets", merged)],
        "volumeMounts": mounts,
        "securityContext": _camel(merged.get("security_context")),
        "ports": [_port(step, merged["port"])] if merged.get("port") else None,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    specification: Json = {
        "containers": [_filled(container)],
        "initContainers": [_placing(runtime_image, merged)] if runtime_image else None,
        "volumes": volumes,
        "restartPolicy": "Never",
        "serviceAccountName": merged.get("service_account")
        or setting(manifest, "kubernetes_service_account"),
        "imagePullSecrets": [{"name": name} for name in _names(step, "image_pull_secrets", merged)],
        "nodeSelector": _mapping(step, "node_selector", merged.get("node_selector")),
        "tolerations": _tolerations(step, merged.get("tolerations")),
        "activeDeadlineSeconds": active_deadline(step, manifest, request),
    }
    metadata: Json = {
        "namespace": merged.get("namespace") or setting(manifest, "kubernetes_namespace"),
        "labels": {
            **_mapping(step, "kubernetes_labels", setting(manifest, "kubernetes_labels")),
            **_mapping(step, "labels", merged.get("labels")),
        },
        "annotations": {
            **_mapping(step, "kubernetes_annotations", setting(manifest, "kubernetes_annotations")),
            **_mapping(step, "annotations", merged.get("annotations")),
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _filled(metadata),
        "spec": _filled(specification),
    }


def name_pod(pod: Json, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    """Give a specification its name, and labels and annotations that go before those the step asks for."""
    metadata = pod["metadata"]
    metadata["name"] = name
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    metadata["annotations"] = {**metadata.get("annotations", {}), **annotations}


def active_deadline(step: StepNode, manifest: FlowManifest, request: UnitRequest) -> int:
    """Seconds after which Kubernetes ends the pod: the backstop behind the alarm in the task.

    The limits of the unit's steps, for as many paths as a worker runs one after another, and ``timeout_grace_s``. A node of
    a gang may have to wait for the others to start.
    """
    steps = [manifest.graph[name] for name in request.steps if name in manifest.graph] or [step]
    rounds = math.ceil(len(request.paths) / max(request.max_workers, 1))
    iterations = manifest.limits.max_iterations if step.is_loop else 1
    limit = sum(_time_limit(each, manifest) for each in steps) * rounds * iterations
    grace = float(setting(manifest, "timeout_grace_s"))
    if request.node is not None:
        grace += float(setting(manifest, "pod_startup_timeout_s"))
    return min(math.ceil(limit + grace), _LONGEST_DEADLINE)


def _time_limit(step: StepNode, manifest: FlowManifest) -> float:
    given = step.decorator("timeout")
    if given is not None:
        units = (("seconds", 1), ("minutes", 60), ("hours", 3600))
        limit = sum(number(step, unit, given.attributes.get(unit) or 0) * factor for unit, factor in units)
        if limit:
            return limit
    return float(setting(manifest, "default_runtime_limit"))


def effective_attributes(step: StepNode, manifest: FlowManifest) -> Json:
    """The attributes of ``@kubernetes``, with ``@resources`` and with what the step's compute pool fills in.

    Raises:
        InvalidDecoratorAttribute: There is no such pool, or a size is not a number.
    """
    merged = attributes(step)
    name = merged.get("compute_pool")
    if not name:
        return merged
    pools = setting(manifest, "compute_pools") or {}
    pool = pools.get(name)
    if not isinstance(pool, dict):
        known = ", ".join(sorted(pools)) or "none"
        raise invalid(step, "compute_pool", name, f"one of the configured compute_pools ({known})")
    both = {
        "node_selector": {
            **_mapping(step, "node_selector", pool.get("node_selector")),
            **_mapping(step, "node_selector", merged.get("node_selector")),
        },
        "tolerations": [*(pool.get("tolerations") or []), *(merged.get("tolerations") or [])],
    }
    filled_in = {key: value for key, value in pool.items() if merged.get(key) is None}
    return {**merged, **filled_in, **both}


def _variables(
    step: StepNode, manifest: FlowManifest, merged: Json, environ: Mapping[str, str], placed: bool
) -> list[Json]:
    ours = {"MLFLOW_PROVIDER_RUNTIME": RUNTIME_PATH} if placed else {}
    if _has_tmpfs(merged) and merged["tmpfs_tempdir"]:
        ours["AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR"] = str(merged["tmpfs_path"])
    variables = container_variables(step, manifest, environ)
    written = {variable["name"] for variable in variables}
    return [
        *({"name": name, "value": literal(value)} for name, value in ours.items() if name not in written),
        *variables,
    ]


def _own_address(request: UnitRequest) -> list[Json]:
    """What the first node of a gang tells the others; Kubernetes fills it in when the pod has an address."""
    if request.node is None:
        return []
    return [{"name": ADDRESS_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]


def _placing(image: str, merged: Json) -> Json:
    """The init container that brings the runtime's packages into the pod."""
    return _filled(
        {
            "name": PLACING_CONTAINER,
            "image": image,
            "imagePullPolicy": merged.get("image_pull_policy"),
            "command": ["cp", "-R", f"{RUNTIME_SOURCE}/.", RUNTIME_PATH],
            "resources": placing_resources(merged),
            "volumeMounts": [_RUNTIME_MOUNT],
            "securityContext": _camel(merged.get("security_context")),
        }
    )


def _has_tmpfs(merged: Json) -> bool:
    return bool(merged.get("use_tmpfs") or (merged.get("use_tmpfs") is None and merged.get("tmpfs_size")))


def _volumes(step: StepNode, merged: Json) -> tuple[list[Json], list[Json]]:
    """Volumes of the pod, and where the container mounts them."""
    volumes: list[Json] = []
    mounts: list[Json] = []
    if _has_tmpfs(merged):
        size = merged.get("tmpfs_size") or merged["memory"] / 2
        volumes.append(_memory_volume("tmpfs", number(step, "tmpfs_size", size)))
        mounts.append({"name": "tmpfs", "mountPath": str(merged["tmpfs_path"])})
    if merged["shared_memory"]:
        volumes.append(_memory_volume("shared-memory", merged["shared_memory"]))
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})  # noqa: S108 - a mount point, not a file
    security = _camel(merged.get("security_context")) or {}
    if security.get("readOnlyRootFilesystem") and not any(mount["mountPath"] == "/tmp" for mount in mounts):  # noqa: S108
        # The code package is unpacked there, and so is much else.
        volumes.append({"name": "tmp", "emptyDir": {}})
        mounts.append({"name": "tmp", "mountPath": "/tmp"})  # noqa: S108
    claims = _mapping(step, "persistent_volume_claims", merged.get("persistent_volume_claims"))
    for index, (claim, path) in enumerate(claims.items()):
        volumes.append({"name": f"claim-{index}", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": f"claim-{index}", "mountPath": path})
    return volumes, mounts


def _memory_volume(name: str, megabytes: float) -> Json:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{math.ceil(megabytes)}M"}}


def _port(step: StepNode, value: object) -> Json:
    port = number(step, "port", value)
    if not (port.is_integer() and 0 < port < 65536):
        raise invalid(step, "port", value, "a whole number from 1 to 65535")
    return {"containerPort": int(port)}


def _names(step: StepNode, attribute: str, merged: Json) -> list[str]:
    """Names given as a list, as a JSON list, or separated by commas."""
    value = merged.get(attribute)
    if isinstance(value, str):
        value = _parsed(step, attribute, value) if value.startswith("[") else value.split(",")
    if not isinstance(value, (list, tuple, type(None))):
        raise invalid(step, attribute, value, "a name or a list of names")
    return [name for each in value or () if (name := str(each).strip())]


def _parsed(step: StepNode, attribute: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise invalid(step, attribute, text, "a list, or one as JSON") from error


def _mapping(step: StepNode, attribute: str, value: object) -> dict[str, str]:
    """A mapping given as such, or as ``key=value`` pairs separated by commas."""
    if isinstance(value, str):
        pairs = (pair.partition("=") for pair in value.split(",") if pair.strip())
        value = {key.strip(): rest.strip() for key, _, rest in pairs}
    if not isinstance(value, (dict, type(None))):
        raise invalid(step, attribute, value, "a mapping from text to text")
    return {str(key): _text(each) for key, each in (value or {}).items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tolerations(step: StepNode, value: object) -> list[Json]:
    if isinstance(value, str):
        value = _parsed(step, "tolerations", value)
    if value is None:
        return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, dict) for each in value):
        raise invalid(step, "tolerations", value, "a list of mappings with key, operator, value and effect")
    return [_camel(each) for each in value]


def _camel(value: Any) -> Any:
    """Keys in Kubernetes' spelling (``runAsUser``), whether they were written so or as in Python (``run_as_user``)."""
    if isinstance(value, dict):
        return {
            re.sub(r"_([a-z])", lambda match: match[1].upper(), str(key)): _camel(each)
            for key, each in value.items()
        }
    return [_camel(each) for each in value] if isinstance(value, (list, tuple)) else value


def _filled(mapping: Json) -> Json:
    """Without the fields that say nothing."""
    return {key: value for key, value in mapping.items() if value not in (None, [], {}, "")}
