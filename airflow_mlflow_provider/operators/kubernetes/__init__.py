"""A unit of steps as a Kubernetes pod."""

from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome
from airflow_mlflow_provider.operators.kubernetes.pod_unit import PodUnit

__all__ = ["PodOutcome", "PodUnit"]
