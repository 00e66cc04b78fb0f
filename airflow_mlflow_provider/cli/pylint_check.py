"""Pylint's error checks of a flow's file, where Pylint is installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from airflow_mlflow_provider.exception import LintIssue

# Attributes of a flow come and go as artifacts, and its calls are read from source: Pylint cannot know of them.
_DISABLED = (
    "no-member",
    "not-callable",
    "unsubscriptable-object",
    "unsupported-membership-test",
    "not-an-iterable",
)
_LINE = re.compile(r"(?P<line>\d+):(?P<col>\d+):(?P<rule>[EF]\d+):(?P<message>.*)")
_FOUND = 1 | 2
_CRASHED = 32


def pylint_issues(file: Path) -> list[LintIssue]:
    """The errors that Pylint finds in a file; none if it is not installed.

    Args:
        file: The flow's file.
    """
    if importlib.util.find_spec("pylint") is None:
        return []
    command = [
        sys.executable,
        "-m",
        "pylint",
        "--errors-only",
        "--score=n",
        f"--disable={','.join(_DISABLED)}",
    ]
    ended = subprocess.run(
        [*command, "--msg-template={line}:{column}:{msg_id}:{msg}", str(file)],
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
    )
    if ended.returncode & _CRASHED or not ended.returncode & _FOUND:
        return []
    return list(_issues(file, ended.stdout))


def _issues(file: Path, output: str) -> Iterator[LintIssue]:
    for line in output.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match:
            yield LintIssue(
                file=str(file),
                line=int(match["line"]),
                col=int(match["col"]) + 1,
                rule=match["rule"],
                severity="E",
                step=None,
                message=match["message"].strip(),
                fix="Correct it, or run with --no-pylint.",
            )
