"""All rules, and running them."""

from __future__ import annotations

from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.lint.rule import Rule
from airflow_mlflow_provider.flow.reading import FlowReading

STRUCTURE: tuple[Rule, ...] = ()


def structural_issues(reading: FlowReading) -> list[LintIssue]:
    """Findings about the graph itself, sorted."""
    return sorted({issue for rule in STRUCTURE for issue in rule.issues(reading)})
