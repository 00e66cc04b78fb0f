"""The command line that runs the same flow with the same parameters again."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.records import RunRecord


def command_line(manifest: FlowManifest, run: RunRecord) -> str:
    """``python flow.py run …`` with every value given to the run, quoted for a shell."""
    separators = {spec.name: spec.separator for spec in manifest.parameters}
    words = ["python", manifest.code.script, "run"]
    files = {spec.name for spec in manifest.parameters if spec.kind == "file"}
    for name, value in run.parameters.items():
        if name in files:
            # Kept with the run; the path it was read from is not known.
            continue
        words += [f"--{name}", _text(value, separators.get(name))]
    for tag in run.tags:
        words += ["--tag", tag]
    return shlex.join(words)


def _text(value: Any, separator: str | None) -> str:
    if isinstance(value, str):
        return value
    if separator is not None and isinstance(value, list):
        return separator.join(value)
    return msgspec.json.encode(value).decode()
