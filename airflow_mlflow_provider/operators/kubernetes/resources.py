"""What a step's container asks for, from ``@kubernetes`` and ``@resources``."""

from __future__ import annotations

import math
from typing import Any

from airflow_mlflow_provider.exception import InvalidDecoratorAttribute
from airflow_mlflow_provider.flow.graph import StepNode

KUBERNETES_DEFAULTS: dict[str, Any] = {
    "cpu": 1,
    "memory": 4096,
    "disk": 10240,
    "qos": "burstable",
    "tmpfs_tempdir": True,
    "tmpfs_path": "/metaflow_temp",
}

_NEVER_EMPTY = {name: KUBERNETES_DEFAULTS[name] for name in ("cpu", "memory")}

Quantities = dict[str, str]


def attributes(step: StepNode) -> dict[str, Any]:
    """The attributes of the step's ``@kubernetes``, defaults included, with the sizes of ``@resources`` merged in.

    Of a size that both give, the larger counts.
    """
    own = step.decorator("kubernetes")
    merged = {**KUBERNETES_DEFAULTS, **(own.attributes if own else {})}
    asked = step.decorator("resources")
    for name in ("cpu", "memory", "disk", "gpu", "shared_memory"):
        values = [merged.get(name), asked.attributes.get(name) if asked else None]
        numbers = [number(step, name, value) for value in values if value is not None]
        # Without a disk request a pod takes what there is; without CPU and memory nobody could place it sensibly.
        merged[name] = max(numbers) if numbers else _NEVER_EMPTY.get(name)
    return merged


def container_resources(step: StepNode, merged: dict[str, Any]) -> dict[str, Quantities]:
    """The ``resources`` of the container, in Kubernetes' form.

    Sizes are in units of ``M`` (a million bytes). GPUs and extended resources are always limited, as Kubernetes demands;
    the rest only for ``qos="guaranteed"``.

    Raises:
        InvalidDecoratorAttribute: The quality of service is unknown, or an extended resource is not a number.
    """
    requests: Quantities = {"cpu": cpu_quantity(merged["cpu"]), "memory": _megabytes(merged["memory"])}
    if merged["disk"] is not None:
        requests["ephemeral-storage"] = _megabytes(merged["disk"])
    counted = _counted(step, merged)
    if _is_guaranteed(step, merged):
        return {"requests": {**requests, **counted}, "limits": {**requests, **counted}}
    return {"requests": {**requests, **counted}} | ({"limits": counted} if counted else {})


def placing_resources(merged: dict[str, Any]) -> dict[str, Quantities]:
    """The ``resources`` of the init container that places the runtime; guaranteed pods need it to be so, too."""
    small: Quantities = {"cpu": "100m", "memory": "64M", "ephemeral-storage": "256M"}
    guaranteed = str(merged["qos"]).lower() == "guaranteed"
    return {"requests": small, "limits": dict(small)} if guaranteed else {"requests": small}


def number(step: StepNode, name: str, value: object) -> float:
    """A size that may have been written as text.

    Raises:
        InvalidDecoratorAttribute: It is not a number of at least zero.
    """
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        result = math.nan
    if not (math.isfinite(result) and result >= 0):
        raise invalid(step, name, value, "a number of at least 0")
    return result


def invalid(step: StepNode, name: str, value: object, allowed: str) -> InvalidDecoratorAttribute:
    """The error for an attribute of ``@kubernetes`` or ``@resources`` that cannot become part of a pod."""
    return InvalidDecoratorAttribute(
        f"{name}={value!r} of step {step.name} cannot be used: it must be {allowed}.",
        lineno=step.line or None,
        source_file=step.file or None,
        fix=f"Give {name} as {allowed} in @kubernetes or @resources of step {step.name}.",
        where={"step": step.name, "attribute": name},
    )


def cpu_quantity(value: float) -> str:
    """CPUs as a quantity: ``2``, ``500m``."""
    millis = max(round(value * 1000), 1) if value else 0
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def _megabytes(value: float) -> str:
    return f"{math.ceil(value)}M"


def _counted(step: StepNode, merged: dict[str, Any]) -> Quantities:
    counted: Quantities = {}
    if merged["gpu"]:
        vendor = str(merged.get("gpu_vendor") or "nvidia").lower()
        counted[f"{vendor}.com/gpu"] = str(math.ceil(merged["gpu"]))
    extended = merged.get("extended_resources") or {}
    if not isinstance(extended, dict):
        raise invalid(step, "extended_resources", extended, "a mapping from a resource's name to a number")
    for name, value in extended.items():
        counted[str(name)] = str(math.ceil(number(step, f"extended_resources[{name}]", value)))
    return counted


def _is_guaranteed(step: StepNode, merged: dict[str, Any]) -> bool:
    qos = str(merged["qos"]).lower()
    if qos not in {"guaranteed", "burstable"}:
        raise invalid(step, "qos", merged["qos"], '"guaranteed" or "burstable"')
    return qos == "guaranteed"
