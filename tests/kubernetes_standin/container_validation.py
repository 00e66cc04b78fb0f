"""The rules for containers: names, environment, mounts, ports, resources."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.kubernetes_standin import quantity
from tests.kubernetes_standin.names import (
    check,
    config_key,
    dns_label,
    dns_subdomain,
    environment_name,
    qualified_name,
)
from tests.kubernetes_standin.status import Cause, Json
from tests.kubernetes_standin.volume_validation import check_inner_path

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
PROTOCOLS = ("SCTP", "TCP", "UDP")
CONTAINER_RESOURCES = ("cpu", "memory", "ephemeral-storage")
ENVIRONMENT_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
RESOURCE_FIELDS = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")
_PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def check_containers(spec: Json, volumes: Sequence[str | None], field: str) -> list[Cause]:
    """Everything wrong with a pod's containers and init containers."""
    causes = []
    seen: set[str] = set()
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind) or []):
            below, name = f"{field}.{kind}[{index}]", container.get("name") or ""
            if name and name in seen:
                causes.append(Cause.duplicate(f"{below}.name", name))
            seen.add(name)
            causes += _check_container(container, volumes, below)
            if kind == "containers" and container.get("restartPolicy"):
                detail = "may not be set for non-init containers"
                causes.append(Cause.forbidden(f"{below}.restartPolicy", detail))
            elif container.get("restartPolicy") not in (None, "Always"):
                causes.append(
                    Cause.unsupported(f"{below}.restartPolicy", container["restartPolicy"], ("Always",))
                )
    return causes


def _check_container(container: Json, volumes: Sequence[str | None], field: str) -> list[Cause]:
    causes = []
    if container.get("name"):
        causes += check(dns_label, container["name"], f"{field}.name")
    image = container.get("image")
    if not image:
        causes.append(Cause.required(f"{field}.image"))
    elif image != image.strip():
        causes.append(Cause.invalid(f"{field}.image", image, "must not have leading or trailing whitespace"))
    for name, choices in (("imagePullPolicy", PULL_POLICIES), ("terminationMessagePolicy", MESSAGE_POLICIES)):
        if container.get(name) is not None and container[name] not in choices:
            causes.append(Cause.unsupported(f"{field}.{name}", container[name], choices))
    causes += _check_ports(container.get("ports") or [], f"{field}.ports")
    for index, variable in enumerate(container.get("env") or []):
        causes += _check_variable(variable, f"{field}.env[{index}]")
    for index, source in enumerate(container.get("envFrom") or []):
        causes += _check_environment_source(source, f"{field}.envFrom[{index}]")
    causes += _check_mounts(container.get("volumeMounts") or [], volumes, f"{field}.volumeMounts")
    causes += _check_resources(container.get("resources") or {}, f"{field}.resources")
    return causes


def _check_ports(ports: list[Json], field: str) -> list[Cause]:
    causes = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        below, name = f"{field}[{index}]", port.get("name")
        if name:
            if (
                len(name) > 15
                or not _PORT_NAME.fullmatch(name)
                or not re.search("[a-z]", name)
                or "--" in name
            ):
                detail = "must be no more than 15 lower case letters, digits and single '-', with a letter"
                causes.append(Cause.invalid(f"{below}.name", name, detail))
            elif name in names:
                causes.append(Cause.duplicate(f"{below}.name", name))
            names.add(name)
        for key in ("containerPort", "hostPort"):
            if port.get(key) is not None and not 1 <= port[key] <= 65535:
                detail = "must be between 1 and 65535, inclusive"
                causes.append(Cause.invalid(f"{below}.{key}", port[key], detail))
        if port.get("protocol") not in (None, *PROTOCOLS):
            causes.append(Cause.unsupported(f"{below}.protocol", port["protocol"], PROTOCOLS))
    return causes


def _check_variable(variable: Json, field: str) -> list[Cause]:
    causes = []
    if variable.get("name"):
        causes += check(environment_name, variable["name"], f"{field}.name")
    source = variable.get("valueFrom")
    if source is None:
        return causes
    below = f"{field}.valueFrom"
    given = [key for key, value in source.items() if value is not None]
    if variable.get("value"):
        causes.append(Cause.invalid(below, "", "may not be specified when `value` is not empty"))
    if not given:
        causes.append(Cause.invalid(below, "", "must specify one of: `fieldRef`, `resourceFieldRef`, "
                                    "`configMapKeyRef` or `secretKeyRef`"))  # fmt: skip
    elif len(given) > 1:
        causes.append(Cause.invalid(below, "", "may not have more than one field specified at a time"))
    return causes + _check_references(source, below)


def _check_references(source: Json, field: str) -> list[Cause]:
    causes = []
    for kind in ("secretKeyRef", "configMapKeyRef"):
        if source.get(kind):
            causes += _check_key_reference(source[kind], f"{field}.{kind}")
    if source.get("fieldRef"):
        path = source["fieldRef"].get("fieldPath") or ""
        causes += _check_field_reference(path, f"{field}.fieldRef.fieldPath")
    if source.get("resourceFieldRef"):
        resource = source["resourceFieldRef"].get("resource") or ""
        if resource and resource not in RESOURCE_FIELDS:
            causes.append(Cause.unsupported(f"{field}.resourceFieldRef.resource", resource, RESOURCE_FIELDS))
    return causes


def _check_key_reference(reference: Json, field: str) -> list[Cause]:
    causes = [] if reference.get("name") else [Cause.required(f"{field}.name")]
    if reference.get("key"):
        causes += check(config_key, reference["key"], f"{field}.key")
    return causes


def _check_field_reference(path: str, field: str) -> list[Cause]:
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        return check(qualified_name, subscript[2].lower(), field)
    if path and path not in ENVIRONMENT_FIELDS:
        return [Cause.unsupported(field, path, ENVIRONMENT_FIELDS)]
    return []


def _check_environment_source(source: Json, field: str) -> list[Cause]:
    given = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
    if not given:
        return [Cause.invalid(field, "", "must specify one of: `configMapRef` or `secretRef`")]
    if len(given) > 1:
        return [Cause.invalid(field, "", "may not have more than one field specified at a time")]
    name = source[given[0]].get("name")
    if not name:
        return [Cause.required(f"{field}.{given[0]}.name")]
    return check(dns_subdomain, name, f"{field}.{given[0]}.name")


def _check_mounts(mounts: list[Json], volumes: Sequence[str | None], field: str) -> list[Cause]:
    causes = []
    seen: set[str] = set()
    for index, volume_mount in enumerate(mounts):
        below = f"{field}[{index}]"
        name, path = volume_mount.get("name") or "", volume_mount.get("mountPath") or ""
        if name and name not in volumes:
            causes.append(Cause.missing(f"{below}.name", name))
        if path and path in seen:
            causes.append(Cause.invalid(f"{below}.mountPath", path, "must be unique"))
        if ":" in path:
            causes.append(Cause.invalid(f"{below}.mountPath", path, "must not contain ':'"))
        seen.add(path)
        if volume_mount.get("subPath") and volume_mount.get("subPathExpr"):
            detail = "subPathExpr and subPath are mutually exclusive"
            causes.append(Cause.invalid(f"{below}.subPathExpr", volume_mount["subPathExpr"], detail))
        for key in ("subPath", "subPathExpr"):
            if volume_mount.get(key):
                causes += check_inner_path(volume_mount[key], f"{below}.{key}")
    return causes


def _check_resources(resources: Json, field: str) -> list[Cause]:
    causes = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            causes += _check_amount(name, amount, f"{field}.{kind}")
    if causes:
        return causes
    for name, amount in requests.items():
        below = f"{field}.requests"
        if name not in limits:
            if name not in CONTAINER_RESOURCES:
                detail = "Limit must be set for non overcommitable resources"
                causes.append(Cause.required(f"{field}.limits", detail))
        elif name not in CONTAINER_RESOURCES and quantity.parse(amount) != quantity.parse(limits[name]):
            detail = f"must be equal to {name} limit of {limits[name]}"
            causes.append(Cause.invalid(below, str(amount), detail))
        elif quantity.parse(amount) > quantity.parse(limits[name]):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(Cause.invalid(below, str(amount), detail))
    return causes


def _check_amount(name: str, amount: str | float, field: str) -> list[Cause]:
    causes = check(qualified_name, name, field)
    if "/" not in name and name not in CONTAINER_RESOURCES and not name.startswith("hugepages-"):
        causes.append(Cause.invalid(field, name, "must be a standard resource type or fully qualified"))
        causes.append(Cause.invalid(field, name, "must be a standard resource for containers"))
        return causes
    try:
        value = quantity.parse(amount)
    except ValueError as error:
        return [*causes, Cause.invalid(f"{field}.{name}", amount, str(error))]
    if value < 0:
        detail = "must be greater than or equal to 0"
        causes.append(Cause.invalid(f"{field}[{name}]", str(amount), detail))
    if "/" in name and value != value.to_integral_value():
        causes.append(Cause.invalid(f"{field}[{name}]", str(amount), "must be an integer"))
    return causes
