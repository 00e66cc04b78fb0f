"""Reading flows, runs, steps, tasks and artifacts back from the store; lazy, and read-only but for tags."""

from airflow_mlflow_provider.client.artifact import DataArtifact
from airflow_mlflow_provider.client.code import MetaflowCode
from airflow_mlflow_provider.client.core import MetaflowObject
from airflow_mlflow_provider.client.data import MetaflowData
from airflow_mlflow_provider.client.flow import Flow, Metaflow
from airflow_mlflow_provider.client.run import Run
from airflow_mlflow_provider.client.scope import (
    default_metadata,
    default_namespace,
    get_metadata,
    get_namespace,
    inspect_spin,
    metadata,
    namespace,
)
from airflow_mlflow_provider.client.step import Step
from airflow_mlflow_provider.client.task import Task
from airflow_mlflow_provider.client.trigger import MetaflowEvent, Trigger

__all__ = [
    "DataArtifact",
    "Flow",
    "Metaflow",
    "MetaflowCode",
    "MetaflowData",
    "MetaflowEvent",
    "MetaflowObject",
    "Run",
    "Step",
    "Task",
    "Trigger",
    "default_metadata",
    "default_namespace",
    "get_metadata",
    "get_namespace",
    "inspect_spin",
    "metadata",
    "namespace",
]
