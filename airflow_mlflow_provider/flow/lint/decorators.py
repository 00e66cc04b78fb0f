"""D: what the decorators of steps and flows say about where they stand."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.flow.reading import FlowReading


def decorator_issues(reading: FlowReading, graph: FlowGraph) -> Iterator[LintIssue]:
    """Findings of the decorators themselves, through their ``lint``; silenced warnings left out."""
    for step in reading.steps.values():
        for decorator in step.decorators:
            for issue in decorator.lint(graph[step.name], graph):
                if issue.severity == "E" or not step.file.ignores(issue.line, issue.rule):
                    yield issue
    for cls in reading.flow_class.__mro__:
        for decorator in vars(cls).get("_flow_decorators", ()):
            for issue in decorator.lint(graph):
                if issue.severity == "E" or not _is_silenced(reading, issue):
                    yield issue


def _is_silenced(reading: FlowReading, issue: LintIssue) -> bool:
    source = reading.class_source
    return source is not None and source[0].path == issue.file and source[0].ignores(issue.line, issue.rule)
