"""All rules, and running them."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.lint import (
    artifacts,
    gangs,
    names,
    parameters,
    splits,
    structure,
    switches,
    transitions,
)
from airflow_mlflow_provider.flow.lint.rule import Rule
from airflow_mlflow_provider.flow.reading import FlowReading

STRUCTURE: tuple[Rule, ...] = (
    *names.RULES,
    *structure.RULES,
    *transitions.RULES,
    *splits.RULES,
    *switches.RULES,
    *gangs.RULES,
)
RULES: tuple[Rule, ...] = (*STRUCTURE, *parameters.RULES, *artifacts.RULES)


def structural_issues(reading: FlowReading) -> list[LintIssue]:
    """Findings about names and the graph itself, sorted."""
    return in_order(issue for rule in STRUCTURE for issue in rule.issues(reading))


def in_order(issues: Iterable[LintIssue]) -> list[LintIssue]:
    """Issues by file and line, each once."""
    return sorted(
        dict.fromkeys(issues),
        key=lambda i: (i.file, i.line, i.col, i.rule, i.severity, i.step or "", i.message),
    )
