"""Running the linter on a flow."""

from __future__ import annotations

import dataclasses

from airflow_mlflow_provider.exception import LintIssue, LintWarn
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.flow.lint.decorators import decorator_issues
from airflow_mlflow_provider.flow.lint.registry import RULES, in_order
from airflow_mlflow_provider.flow.reading import read_flow
from airflow_mlflow_provider.flow.source import config_resolver, graph_of


def lint(flow_class: type, *, strict: bool = False) -> list[LintIssue]:
    """Everything that is wrong or doubtful about a flow, sorted by file and line.

    ``# flow: ignore[A901]`` at the end of a line silences that warning there; errors cannot be silenced.

    Args:
        flow_class: A subclass of ``FlowSpec``.
        strict: Whether warnings count as errors.

    Raises:
        MetaflowException: The source of the flow is not available.
    """
    return _examine(flow_class, strict)[1]


def check(flow_class: type, *, strict: bool = False) -> FlowGraph:
    """The graph of a flow without errors.

    Args:
        flow_class: A subclass of ``FlowSpec``.
        strict: Whether warnings count as errors.

    Raises:
        LintWarn: The flow has errors; ``issues`` holds all of them.
        MetaflowException: The source of the flow is not available.
    """
    graph, issues = _examine(flow_class, strict)
    errors = [issue for issue in issues if issue.severity == "E"]
    if errors or graph is None:
        raise LintWarn(issues=errors)
    return graph


def _examine(flow_class: type, strict: bool) -> tuple[FlowGraph | None, list[LintIssue]]:
    reading = read_flow(flow_class, config_resolver(flow_class))
    graph = graph_of(reading)
    issues = [issue for rule in RULES for issue in rule.issues(reading)]
    if graph is not None:
        issues += decorator_issues(reading, graph)
    if strict:
        issues = [dataclasses.replace(issue, severity="E") for issue in issues]
    return graph, in_order(issues)
