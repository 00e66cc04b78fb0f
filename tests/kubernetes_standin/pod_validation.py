"""The rules a pod specification must keep, from ``k8s.io/kubernetes/pkg/apis/core/validation``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.kubernetes_standin.container_validation import check_containers
from tests.kubernetes_standin.names import (
    check,
    check_labels,
    dns_label,
    dns_subdomain,
    label_value,
    qualified_name,
)
from tests.kubernetes_standin.status import Cause, Json
from tests.kubernetes_standin.volume_validation import check_volumes

RESTART_POLICIES = ("Always", "Never", "OnFailure")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MAX_SECONDS = 2**31 - 1
MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")


def check_pod_spec(spec: Json, field: str) -> list[Cause]:
    """Everything wrong with a pod's (or a template's) defaulted specification."""
    volumes = [volume.get("name") for volume in spec.get("volumes") or []]
    causes = check_volumes(spec.get("volumes") or [], f"{field}.volumes")
    if not spec.get("containers"):
        causes.append(Cause.required(f"{field}.containers"))
    causes += check_containers(spec, volumes, field)
    causes += check_choice(spec, "restartPolicy", RESTART_POLICIES, field)
    causes += check_choice(spec, "dnsPolicy", DNS_POLICIES, field)
    causes += _check_times(spec, field)
    causes += _check_names(spec, field)
    causes += check_labels(spec.get("nodeSelector"), f"{field}.nodeSelector")
    for index, toleration in enumerate(spec.get("tolerations") or []):
        causes += _check_toleration(toleration, f"{field}.tolerations[{index}]")
    causes += _check_affinity(spec.get("affinity") or {}, f"{field}.affinity")
    return causes


def check_choice(owner: Json, name: str, choices: Iterable[str], field: str) -> list[Cause]:
    """A field that must be one of ``choices`` when it is set."""
    value = owner.get(name)
    if value is None or value in choices:
        return []
    return [Cause.unsupported(f"{field}.{name}", value, choices)]


def check_pod_update(old: Json, new: Json) -> list[Cause]:
    """What a change of a pod may not touch: nearly all of its specification."""
    if _frozen_part(old) == _frozen_part(new):
        return []
    detail = (
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    return [Cause.forbidden("spec", detail)]


def _frozen_part(pod: Json) -> Json:
    frozen = {name: value for name, value in pod["spec"].items() if name not in MUTABLE}
    for kind in ("containers", "initContainers"):
        if kind in frozen:
            frozen[kind] = [{**container, "image": ""} for container in frozen[kind]]
    return frozen


def _check_times(spec: Json, field: str) -> list[Cause]:
    causes = []
    deadline, grace = spec.get("activeDeadlineSeconds"), spec.get("terminationGracePeriodSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_SECONDS:
        detail = f"must be between 1 and {MAX_SECONDS}, inclusive"
        causes.append(Cause.invalid(f"{field}.activeDeadlineSeconds", deadline, detail))
    if grace is not None and grace < 0:
        detail = "must be greater than or equal to 0"
        causes.append(Cause.invalid(f"{field}.terminationGracePeriodSeconds", grace, detail))
    return causes


def _check_names(spec: Json, field: str) -> list[Cause]:
    causes = []
    rules = {
        "serviceAccountName": dns_subdomain,
        "nodeName": dns_subdomain,
        "hostname": dns_label,
        "subdomain": dns_label,
        "priorityClassName": dns_subdomain,
        "runtimeClassName": dns_subdomain,
        "schedulerName": qualified_name,
    }
    for name, rule in rules.items():
        if spec.get(name):
            causes += check(rule, spec[name], f"{field}.{name}")
    for index, reference in enumerate(spec.get("imagePullSecrets") or []):
        if not reference.get("name"):
            causes.append(Cause.required(f"{field}.imagePullSecrets[{index}].name"))
    return causes


def _check_toleration(toleration: Json, field: str) -> list[Cause]:
    causes = []
    key, operator = toleration.get("key"), toleration.get("operator") or "Equal"
    if key:
        causes += check(qualified_name, key, f"{field}.key")
    elif operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.append(Cause.invalid(f"{field}.operator", operator, detail))
    if operator not in ("Exists", "Equal"):
        causes.append(Cause.unsupported(f"{field}.operator", operator, ("Equal", "Exists")))
    if operator == "Exists" and toleration.get("value"):
        detail = "value must be empty when `operator` is 'Exists'"
        causes.append(Cause.invalid(f"{field}.operator", toleration["value"], detail))
    elif toleration.get("value"):
        causes += check(label_value, toleration["value"], f"{field}.value")
    effect = toleration.get("effect")
    if effect and effect not in EFFECTS:
        causes.append(Cause.unsupported(f"{field}.effect", effect, EFFECTS))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(Cause.invalid(f"{field}.effect", effect or "", detail))
    return causes


def _check_affinity(affinity: Json, field: str) -> list[Cause]:
    """Node affinity's operators and keys; the other kinds are checked for their shape only."""
    causes = []
    node = affinity.get("nodeAffinity") or {}
    required: Json = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    base = f"{field}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    operators = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
    for number, term in enumerate(required.get("nodeSelectorTerms") or []):
        expressions: list[dict[str, Any]] = term.get("matchExpressions") or []
        for index, expression in enumerate(expressions):
            below = f"{base}.nodeSelectorTerms[{number}].matchExpressions[{index}]"
            causes += check(qualified_name, expression.get("key") or "", f"{below}.key")
            if expression.get("operator") not in operators:
                detail = "not a valid selector operator"
                causes.append(Cause.invalid(f"{below}.operator", expression.get("operator"), detail))
            elif expression["operator"] in ("In", "NotIn") and not expression.get("values"):
                detail = "must be specified when `operator` is 'In' or 'NotIn'"
                causes.append(Cause.required(f"{below}.values", detail))
    return causes
