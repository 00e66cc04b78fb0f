"""D: what the decorators of steps and flows say about where they stand."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.flow.reading import FlowReading


def decorator_issues(reading: FlowReading, graph: FlowGraph) -> Iterator[LintIssue]:
    """Findings of the decorators themselves, as mutators have left them; silenced warnings left out."""
    from airflow_mlflow_provider.flow.decorators.checks import decorator_findings

    for issue in decorator_findings(reading.flow_class, graph):
        if issue.severity == "E" or not _is_silenced(reading, issue):
            yield issue


def _is_silenced(reading: FlowReading, issue: LintIssue) -> bool:
    files = [step.file for step in reading.steps.values()]
    if reading.class_source is not None:
        files.append(reading.class_source[0])
    return any(file.path == issue.file and file.ignores(issue.line, issue.rule) for file in files)
