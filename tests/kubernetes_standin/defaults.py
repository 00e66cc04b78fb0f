"""What an API server fills in before it stores a pod."""

from __future__ import annotations

from typing import Any

from tests.kubernetes_standin import quantity
from tests.kubernetes_standin.status import Json

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_VOLUME = "kube-api-access"


def default_pod_spec(spec: Json) -> None:
    """Fill in what a specification left out, in place."""
    defaults: dict[str, Any] = {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }
    for name, value in defaults.items():
        if spec.get(name) is None:
            spec[name] = value
    spec["securityContext"] = spec.get("securityContext") or {}
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or []:
            default_container(container)
    for volume in spec.get("volumes") or []:
        _default_volume(volume)


def default_container(container: Json) -> None:
    """Fill in a container's pull policy, message path and requests, in place."""
    image = container.get("image") or ""
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = "@" not in image and tag in ("", "latest")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container["terminationMessagePolicy"] = container.get("terminationMessagePolicy") or "File"
    container["imagePullPolicy"] = container.get("imagePullPolicy") or (
        "Always" if latest else "IfNotPresent"
    )
    resources = container["resources"] = container.get("resources") or {}
    for kind in ("limits", "requests"):
        if resources.get(kind):
            resources[kind] = {name: str(amount) for name, amount in resources[kind].items()}
    limits = resources.get("limits") or {}
    if limits:
        resources["requests"] = {**limits, **(resources.get("requests") or {})}
    for port in container.get("ports") or []:
        port["protocol"] = port.get("protocol") or "TCP"
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            reference.setdefault("apiVersion", "v1")


def _default_volume(volume: Json) -> None:
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if volume.get(kind) is not None:
            volume[kind].setdefault("defaultMode", 0o644)
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")


def admit_service_account(spec: Json, account: Json, suffix: str) -> None:
    """Mount the service account's token, as the ServiceAccount admission plug-in does, in place."""
    spec["serviceAccountName"] = spec["serviceAccount"] = account["metadata"]["name"]
    mounted = spec.get("automountServiceAccountToken")
    if mounted is None:
        mounted = account.get("automountServiceAccountToken", True)
    if not mounted:
        return
    name = f"{TOKEN_VOLUME}-{suffix}"
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]  # fmt: skip
    spec["volumes"] = [
        *(spec.get("volumes") or []),
        {"name": name, "projected": {"defaultMode": 420, "sources": sources}},
    ]
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or []:
            mounts = container.setdefault("volumeMounts", []) or []
            if not any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
                mounts.append({"name": name, "readOnly": True, "mountPath": TOKEN_PATH})
            container["volumeMounts"] = mounts


def quality_of_service(spec: Json) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``, from requests and limits of cpu and memory."""
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    named = ("cpu", "memory")
    given = False
    guaranteed = True
    for container in containers:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        given = given or any(
            quantity.parse(amount) > 0
            for amounts in (limits, requests)
            for name, amount in amounts.items()
            if name in named
        )
        guaranteed = guaranteed and all(
            name in limits
            and quantity.parse(requests.get(name, limits[name])) == quantity.parse(limits[name])
            for name in named
        )
    if not given:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
