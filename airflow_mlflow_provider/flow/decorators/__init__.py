"""The decorators of steps and flows, one module for each family; a family is imported when one of its names is."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.decorators.attempts import catch, retry, timeout
    from airflow_mlflow_provider.flow.decorators.compute import kubernetes, resources
    from airflow_mlflow_provider.flow.decorators.environment_variables import environment
    from airflow_mlflow_provider.flow.decorators.projects import project
    from airflow_mlflow_provider.flow.decorators.schedules import schedule

_MODULES = {
    "catch": "attempts",
    "environment": "environment_variables",
    "kubernetes": "compute",
    "project": "projects",
    "resources": "compute",
    "retry": "attempts",
    "schedule": "schedules",
    "timeout": "attempts",
}

__all__ = [
    "catch",
    "environment",
    "kubernetes",
    "project",
    "resources",
    "retry",
    "schedule",
    "timeout",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
