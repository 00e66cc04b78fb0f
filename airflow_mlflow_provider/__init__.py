"""ML flows for Apache Airflow: write a class of steps, run it on a laptop, deploy it as a DAG.

Every public name imports from here; each is loaded when it is first used, so that importing the package costs nothing.
This package has nothing to do with the MLflow tracking server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.current import current
    from airflow_mlflow_provider.flow.decorators import (
        catch,
        environment,
        kubernetes,
        project,
        resources,
        retry,
        schedule,
        timeout,
    )
    from airflow_mlflow_provider.flow.parameters import JSONType, JSONTypeClass, Parameter
    from airflow_mlflow_provider.flow.spec import FlowSpec
    from airflow_mlflow_provider.flow.step import step

__version__ = "0.1.0"

_HOMES = {
    "flow.spec": ("FlowSpec",),
    "flow.step": ("step",),
    "flow.current": ("current",),
    "flow.decorators": (
        "catch",
        "environment",
        "kubernetes",
        "project",
        "resources",
        "retry",
        "schedule",
        "timeout",
    ),
    "flow.parameters": ("JSONType", "JSONTypeClass", "Parameter"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "FlowSpec",
    "JSONType",
    "JSONTypeClass",
    "Parameter",
    "__version__",
    "catch",
    "current",
    "environment",
    "kubernetes",
    "project",
    "resources",
    "retry",
    "schedule",
    "step",
    "timeout",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
