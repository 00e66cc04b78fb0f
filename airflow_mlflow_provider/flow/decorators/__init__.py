"""The decorators of steps and flows, one module for each family; a family is imported when one of its names is."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.decorators.airflow_sensors import (
        airflow_external_task_sensor,
        airflow_s3_key_sensor,
    )
    from airflow_mlflow_provider.flow.decorators.airflow_tasks import airflow_task
    from airflow_mlflow_provider.flow.decorators.attempts import catch, retry, timeout
    from airflow_mlflow_provider.flow.decorators.caching import cache
    from airflow_mlflow_provider.flow.decorators.cards import card
    from airflow_mlflow_provider.flow.decorators.code_sources import package_sources
    from airflow_mlflow_provider.flow.decorators.compute import kubernetes, resources
    from airflow_mlflow_provider.flow.decorators.environment_variables import environment
    from airflow_mlflow_provider.flow.decorators.events import (
        namespaced_event_name,
        trigger,
        trigger_on_finish,
    )
    from airflow_mlflow_provider.flow.decorators.exit_hooks import exit_hook
    from airflow_mlflow_provider.flow.decorators.gangs import parallel, pytorch_parallel
    from airflow_mlflow_provider.flow.decorators.packages import pypi, pypi_base
    from airflow_mlflow_provider.flow.decorators.projects import project
    from airflow_mlflow_provider.flow.decorators.refused import batch, checkpoint, conda, conda_base, slurm
    from airflow_mlflow_provider.flow.decorators.schedules import schedule
    from airflow_mlflow_provider.flow.decorators.secret_injection import secrets

_MODULES = {
    "airflow_external_task_sensor": "airflow_sensors",
    "airflow_s3_key_sensor": "airflow_sensors",
    "airflow_task": "airflow_tasks",
    "batch": "refused",
    "cache": "caching",
    "card": "cards",
    "catch": "attempts",
    "checkpoint": "refused",
    "conda": "refused",
    "conda_base": "refused",
    "environment": "environment_variables",
    "exit_hook": "exit_hooks",
    "kubernetes": "compute",
    "namespaced_event_name": "events",
    "package_sources": "code_sources",
    "parallel": "gangs",
    "project": "projects",
    "pypi": "packages",
    "pypi_base": "packages",
    "pytorch_parallel": "gangs",
    "resources": "compute",
    "retry": "attempts",
    "schedule": "schedules",
    "secrets": "secret_injection",
    "slurm": "refused",
    "timeout": "attempts",
    "trigger": "events",
    "trigger_on_finish": "events",
}

__all__ = [
    "airflow_external_task_sensor",
    "airflow_s3_key_sensor",
    "airflow_task",
    "batch",
    "cache",
    "card",
    "catch",
    "checkpoint",
    "conda",
    "conda_base",
    "environment",
    "exit_hook",
    "kubernetes",
    "namespaced_event_name",
    "package_sources",
    "parallel",
    "project",
    "pypi",
    "pypi_base",
    "pytorch_parallel",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "slurm",
    "timeout",
    "trigger",
    "trigger_on_finish",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
