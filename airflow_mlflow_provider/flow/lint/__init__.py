"""The linter: every rule about flows, and one way to run them all."""

from airflow_mlflow_provider.flow.lint.linter import check, lint
from airflow_mlflow_provider.flow.lint.registry import RULES
from airflow_mlflow_provider.flow.lint.rule import Rule

__all__ = ["RULES", "Rule", "check", "lint"]
