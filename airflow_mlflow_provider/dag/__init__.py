"""Airflow DAGs from flows: :func:`load_flow` for a manifest, :func:`FlowDag` for a flow's own file, :class:`FlowTaskGroup` in others."""

from airflow_mlflow_provider.dag.build import build_dag
from airflow_mlflow_provider.dag.flow_dag import FlowDag
from airflow_mlflow_provider.dag.load import load_flow
from airflow_mlflow_provider.dag.task_group import FlowTaskGroup

__all__ = ["FlowDag", "FlowTaskGroup", "build_dag", "load_flow"]
