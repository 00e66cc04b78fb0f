"""A container's environment variables and its command, resolved as the kubelet resolves them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from tests.kubernetes_standin import quantity
from tests.kubernetes_standin.names import environment_name
from tests.kubernetes_standin.status import Json

Lookup = Callable[[str, str], "Json | None"]
"""Finds a ``Secret`` or ``ConfigMap`` of the pod's namespace: takes kind and name."""

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")
_DIVISORS = {"cpu": "1", "memory": "1", "ephemeral-storage": "1"}


class ConfigurationError(Exception):
    """The container cannot be created as configured; the pod waits with ``CreateContainerConfigError``."""


def expand(text: str, variables: dict[str, str]) -> str:
    """Replace ``$(NAME)``; ``$$`` is a dollar, and an unknown name stays as it is."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def container_environment(
    container: Json, pod: Json, node_capacity: dict[str, str], lookup: Lookup
) -> dict[str, str]:
    """``envFrom`` and ``env`` in order, with references expanded. Raises ``ConfigurationError``."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for key, value in _source_values(source, pod, lookup).items():
            name = (source.get("prefix") or "") + key
            if not environment_name(name):
                variables[name] = value
    for variable in container.get("env") or []:
        reference = variable.get("valueFrom")
        if reference:
            found = _referenced(reference, container, pod, node_capacity, lookup)
            if found is not None:
                variables[variable["name"]] = found
        else:
            variables[variable["name"]] = expand(variable.get("value") or "", variables)
    return variables


def decoded(kind: str, item: Json) -> dict[str, bytes]:
    """The values of a Secret or ConfigMap as bytes."""
    if kind == "secret":
        return {key: base64.b64decode(value) for key, value in (item.get("data") or {}).items()}
    values = {key: value.encode() for key, value in (item.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (item.get("binaryData") or {}).items()}
    return {**values, **binary}


def _source_values(source: Json, pod: Json, lookup: Lookup) -> dict[str, str]:
    kind = "secret" if source.get("secretRef") else "configmap"
    reference = source.get("secretRef") or source.get("configMapRef") or {}
    item = _find(kind, reference, pod, lookup)
    return {} if item is None else {key: value.decode() for key, value in decoded(kind, item).items()}


def _find(kind: str, reference: Json, pod: Json, lookup: Lookup) -> Json | None:
    item = lookup(kind, reference["name"])
    if item is None and not reference.get("optional"):
        raise ConfigurationError(f'{kind} "{reference["name"]}" not found')
    return item


def _referenced(
    reference: Json, container: Json, pod: Json, capacity: dict[str, str], lookup: Lookup
) -> str | None:
    if reference.get("fieldRef"):
        return field_value(pod, reference["fieldRef"]["fieldPath"])
    if reference.get("resourceFieldRef"):
        return resource_value(reference["resourceFieldRef"], container, capacity)
    kind = "secret" if reference.get("secretKeyRef") else "configmap"
    key_reference: Json = reference.get("secretKeyRef") or reference["configMapKeyRef"]
    item = _find(kind, key_reference, pod, lookup)
    values = {} if item is None else decoded(kind, item)
    key = key_reference["key"]
    if key in values:
        return values[str(key)].decode()
    if key_reference.get("optional"):
        return None
    what = "Secret" if kind == "secret" else "ConfigMap"
    place = f"{pod['metadata']['namespace']}/{key_reference['name']}"
    raise ConfigurationError(f"couldn't find key {key} in {what} {place}")


def field_value(pod: Json, path: str) -> str:
    """What a ``fieldRef`` gives; whole label and annotation maps as lines ``key="value"``."""
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        return str((pod["metadata"].get(subscript[1]) or {}).get(subscript[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod["metadata"].get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(values.items()))
    if path in ("status.podIPs", "status.hostIPs"):
        return ",".join(entry["ip"] for entry in pod["status"].get(path.partition(".")[2]) or [])
    top, _, name = path.partition(".")
    return str(pod[top].get(name, ""))


def resource_value(reference: Json, container: Json, node_capacity: dict[str, str]) -> str:
    """What a ``resourceFieldRef`` gives: an absent limit is what the node has, an absent request zero."""
    kind, _, name = reference["resource"].partition(".")
    amounts = (container.get("resources") or {}).get(kind) or {}
    fallback = node_capacity[name] if kind == "limits" else "0"
    divisor = str(reference.get("divisor") or "0")
    return str(quantity.units(amounts.get(name, fallback), _DIVISORS[name] if divisor == "0" else divisor))
