"""What a rule is, and how its findings become issues."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.source_file import SourceFile
from airflow_mlflow_provider.flow.step_source import StepSource

Severity = Literal["E", "W"]


class Finding(msgspec.Struct, frozen=True):
    """One place that breaks a rule.

    Attributes:
        file: The file, or its path if it is not parsed.
        line: 1-based line.
        col: 1-based column.
        message: What is wrong.
        fix: How to fix it, one imperative sentence.
        step: The step concerned, or ``None``.
    """

    file: SourceFile | str
    line: int
    col: int
    message: str
    fix: str
    step: str | None = None


def at_step(step: StepSource, message: str, fix: str) -> Finding:
    """A finding about a step as a whole, placed at its ``def``."""
    return Finding(step.file, step.line, step.node.col_offset + 1, message, fix, step.name)


def at_node(step: StepSource, node: ast.expr | ast.stmt, message: str, fix: str) -> Finding:
    """A finding about something written in a step."""
    return Finding(step.file, node.lineno, node.col_offset + 1, message, fix, step.name)


class Rule(msgspec.Struct, frozen=True):
    """A rule of the linter.

    Attributes:
        id: Such as ``"T303"``; two rows share an id if it has an error and a warning form.
        severity: ``"E"`` error or ``"W"`` warning.
        title: The condition, in a few words.
        find: Gives the findings in a flow.
    """

    id: str
    severity: Severity
    title: str
    find: Callable[[FlowReading], Iterable[Finding]]

    def issues(self, reading: FlowReading) -> list[LintIssue]:
        """The findings in a flow as issues, without the warnings that the source silences."""
        return [issue for finding in self.find(reading) if (issue := self._issue(finding))]

    def _issue(self, finding: Finding) -> LintIssue | None:
        file = finding.file
        if isinstance(file, SourceFile):
            if self.severity == "W" and file.ignores(finding.line, self.id):
                return None
            file = file.path
        return LintIssue(
            self.id,
            self.severity,
            file,
            finding.line,
            finding.col,
            finding.step,
            finding.message,
            finding.fix,
        )
