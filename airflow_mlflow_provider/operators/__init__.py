"""Operators that run flows: one for steps, one that gathers what inner foreach splits opened."""

from airflow_mlflow_provider.operators.planning import PlanningOperator
from airflow_mlflow_provider.operators.step import FlowStepOperator

__all__ = ["FlowStepOperator", "PlanningOperator"]
