"""Airflow DAGs from flows: :func:`load_flow` for a manifest, :func:`FlowDag` for a flow's own file, :class:`FlowTaskGroup` in others.

A file that holds a flow and makes its DAG is also executed where Airflow is not installed: in pods, in the environments of
steps, on a laptop. So nothing here imports Airflow before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.dag.flow_dag import FlowDag

if TYPE_CHECKING:
    from airflow_mlflow_provider.dag.build import build_dag
    from airflow_mlflow_provider.dag.load import load_flow
    from airflow_mlflow_provider.dag.task_group import FlowTaskGroup

_HOMES = {"FlowTaskGroup": "task_group", "build_dag": "build", "load_flow": "load"}

__all__ = ["FlowDag", "FlowTaskGroup", "build_dag", "load_flow"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
