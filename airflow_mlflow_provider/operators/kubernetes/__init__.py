"""A unit of steps as a Kubernetes pod, or, for a gang, as several."""

from airflow_mlflow_provider.operators.kubernetes.gang_unit import GangUnit
from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome
from airflow_mlflow_provider.operators.kubernetes.pod_unit import PodUnit

__all__ = ["GangUnit", "PodOutcome", "PodUnit"]
