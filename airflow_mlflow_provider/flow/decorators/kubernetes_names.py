"""What Kubernetes accepts as names, labels, annotations, quantities, tolerations and claims.

The rules are those of the API server (``k8s.io/apimachinery/pkg/util/validation``, ``…/api/validation`` and
``…/api/resource``), checked before a DAG is written, so that a pod is not refused in the night.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_LABEL_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUANTITY = re.compile(r"[+]?(\d+(\.\d*)?|\.\d+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|u|n|[eE][+-]?\d+)?")
_TOLERATION_KEYS = frozenset(
    {"key", "operator", "value", "effect", "toleration_seconds", "tolerationSeconds"}
)
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ANNOTATION_BYTES = 256 * 1024


class KubernetesProblem(NamedTuple):
    """A value that Kubernetes would refuse.

    Attributes:
        attribute: Attribute of ``@kubernetes``.
        message: What is wrong, with the value.
        fix: How to fix it.
    """

    attribute: str
    message: str
    fix: str


def kubernetes_problems(attributes: Mapping[str, Any]) -> Iterator[KubernetesProblem]:
    """Everything in the attributes of ``@kubernetes`` that Kubernetes would refuse."""
    yield from label_problems(attributes.get("labels") or {}, "labels")
    yield from annotation_problems(attributes.get("annotations") or {})
    yield from label_problems(attributes.get("node_selector") or {}, "node_selector")
    yield from toleration_problems(attributes.get("tolerations") or ())
    yield from claim_problems(attributes.get("persistent_volume_claims") or {})
    yield from quantity_problems(attributes.get("extended_resources") or {})
    for attribute in ("namespace", "service_account"):
        name = attributes.get(attribute)
        if name is not None:
            yield from _name_problem(attribute, name, label=attribute == "namespace")
    for attribute in ("secrets", "image_pull_secrets"):
        for name in attributes.get(attribute) or ():
            yield from _name_problem(attribute, name)
    port = attributes.get("port")
    if port is not None and not 1 <= port <= 65535:
        yield KubernetesProblem("port", f"{port} is not a port.", "Give a port from 1 to 65535.")
    yield from _path_problem("tmpfs_path", attributes.get("tmpfs_path"))


def label_problems(labels: Mapping[str, Any], attribute: str) -> Iterator[KubernetesProblem]:
    """Keys and values that are not those of labels."""
    for key, value in labels.items():
        yield from _key_problem(attribute, key)
        if value is None or value == "":
            continue
        text = value if isinstance(value, str) else None
        if text is None or len(text) > 63 or not _LABEL_PART.fullmatch(text):
            yield KubernetesProblem(
                attribute,
                f"the value {value!r} of '{key}' is not one of a label.",
                "Give at most 63 letters, digits, `-`, `_` or `.`, the first and last a letter or digit.",
            )


def annotation_problems(annotations: Mapping[str, Any]) -> Iterator[KubernetesProblem]:
    """Keys and values that are not those of annotations."""
    size = 0
    for key, value in annotations.items():
        yield from _key_problem("annotations", key)
        if not isinstance(value, str):
            yield KubernetesProblem(
                "annotations", f"the value {value!r} of '{key}' is not a string.", "Give a string."
            )
            continue
        size += len(key.encode()) + len(value.encode())
    if size > _ANNOTATION_BYTES:
        yield KubernetesProblem(
            "annotations",
            f"together they have {size} bytes; Kubernetes takes {_ANNOTATION_BYTES}.",
            "Shorten them.",
        )


def quantity_problems(quantities: Mapping[str, Any]) -> Iterator[KubernetesProblem]:
    """Extended resources whose name or amount Kubernetes would refuse."""
    for key, value in quantities.items():
        yield from _key_problem("extended_resources", key)
        if "/" not in key:
            yield KubernetesProblem(
                "extended_resources",
                f"'{key}' has no domain.",
                "Write the name with its domain, such as 'example.com/device'.",
            )
        elif not is_quantity(value) or not float_is_whole(value):
            yield KubernetesProblem(
                "extended_resources",
                f"the amount {value!r} of '{key}' is not a whole quantity.",
                "Give a whole number.",
            )


def toleration_problems(tolerations: Any) -> Iterator[KubernetesProblem]:
    """Tolerations that Kubernetes would refuse."""
    for toleration in tolerations:
        reason = _toleration_reason(toleration)
        if reason:
            yield KubernetesProblem(
                "tolerations",
                f"{toleration!r} {reason}.",
                "Write tolerations as in a pod, such as {'key': 'gpu', 'operator': 'Exists', 'effect': 'NoSchedule'}.",
            )


def claim_problems(claims: Mapping[str, Any]) -> Iterator[KubernetesProblem]:
    """Persistent volume claims, by name, whose name or mount path Kubernetes would refuse."""
    paths: dict[Any, str] = {}
    for claim, path in claims.items():
        yield from _name_problem("persistent_volume_claims", claim)
        yield from _path_problem("persistent_volume_claims", path)
        if path in paths:
            yield KubernetesProblem(
                "persistent_volume_claims",
                f"'{claim}' and '{paths[path]}' are both mounted at {path!r}.",
                "Give each claim a path of its own.",
            )
        paths[path] = claim


def is_quantity(value: Any) -> bool:
    """Whether ``value`` is a Kubernetes quantity that is not negative, such as ``2``, ``0.5``, ``"500m"`` or ``"4Gi"``."""
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return math.isfinite(value) and value >= 0
    return isinstance(value, str) and bool(_QUANTITY.fullmatch(value))


def float_is_whole(value: Any) -> bool:
    """Whether a quantity without suffix is a whole number; one with a suffix is taken as such."""
    try:
        return float(value).is_integer()
    except ValueError:
        return not str(value).endswith(("m", "u", "n"))


def _toleration_reason(toleration: Any) -> str:
    if not isinstance(toleration, Mapping):
        return "is not a dict"
    unknown = set(toleration) - _TOLERATION_KEYS
    if unknown:
        return f"has the unknown key {sorted(map(str, unknown))[0]!r}"
    operator = toleration.get("operator") or "Equal"
    effect = toleration.get("effect") or ""
    if operator not in ("Equal", "Exists"):
        return f"has the operator {operator!r}; allowed are 'Equal' and 'Exists'"
    if operator == "Exists" and toleration.get("value"):
        return "has a value, which 'Exists' does not take"
    if operator == "Equal" and not toleration.get("key"):
        return "has no key; only the operator 'Exists' may be without"
    if effect and effect not in _EFFECTS:
        return f"has the effect {effect!r}; allowed are {', '.join(_EFFECTS)}"
    seconds = toleration.get("toleration_seconds", toleration.get("tolerationSeconds"))
    if seconds is not None and effect != "NoExecute":
        return "has toleration seconds, which only the effect 'NoExecute' takes"
    return ""


def _key_problem(attribute: str, key: Any) -> Iterator[KubernetesProblem]:
    prefix, slash, name = str(key).rpartition("/")
    good_name = len(name) <= 63 and bool(_LABEL_PART.fullmatch(name))
    good_prefix = not slash or (len(prefix) <= 253 and bool(_DNS_SUBDOMAIN.fullmatch(prefix)))
    if not isinstance(key, str) or not good_name or not good_prefix:
        yield KubernetesProblem(
            attribute,
            f"{key!r} is not a key.",
            "Give at most 63 letters, digits, `-`, `_` or `.`, with an optional domain and `/` before.",
        )


def _name_problem(attribute: str, name: Any, *, label: bool = False) -> Iterator[KubernetesProblem]:
    pattern, longest = (_DNS_LABEL, 63) if label else (_DNS_SUBDOMAIN, 253)
    if not isinstance(name, str) or len(name) > longest or not pattern.fullmatch(name):
        dot = "" if label else ", `.`"
        yield KubernetesProblem(
            attribute,
            f"{name!r} is not a Kubernetes name.",
            f"Give at most {longest} lower-case letters, digits, `-`{dot}, the first and last a letter or digit.",
        )


def _path_problem(attribute: str, path: Any) -> Iterator[KubernetesProblem]:
    if path is not None and not (isinstance(path, str) and path.startswith("/") and ":" not in path):
        yield KubernetesProblem(
            attribute, f"{path!r} is not a mount path.", "Give an absolute path without `:`."
        )
