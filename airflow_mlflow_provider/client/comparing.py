"""Runs of a flow side by side: what they were given, what they came to, how long their steps took; from records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from airflow_mlflow_provider.client.summaries import RunSummary, manifest_of
from airflow_mlflow_provider.store.ledger import Ledger


class ComparedValue(msgspec.Struct, frozen=True):
    """One fact of all runs that are compared.

    Attributes:
        name: Name of the fact.
        values: Its value in each run, in the order of the runs; ``None`` where a run has none.
        differs: Whether the runs do not all have the same.
    """

    name: str
    values: tuple[Any, ...]
    differs: bool


class Comparison(msgspec.Struct, frozen=True):
    """Runs side by side.

    Attributes:
        parameters: Their parameters and configs.
        metrics: The numbers among the artifacts of their end steps.
        seconds: How long each step took, from the beginning of its first task to the end of its last.
        circumstances: What they ran with: code, environment, versions.
    """

    parameters: tuple[ComparedValue, ...]
    metrics: tuple[ComparedValue, ...]
    seconds: tuple[ComparedValue, ...]
    circumstances: tuple[ComparedValue, ...]


def compare(ledger: Ledger, runs: Sequence[RunSummary], seconds: Sequence[Mapping[str, float]]) -> Comparison:
    """Put runs side by side.

    Args:
        ledger: The store's records.
        runs: The runs, of one flow.
        seconds: How long the steps of each took, by name.
    """
    manifests = [manifest_of(ledger, run.record) for run in runs]
    steps = list(dict.fromkeys(step for manifest in manifests for step in manifest.graph.topological()))
    given = [
        {**manifest.configs, **run.record.parameters} for run, manifest in zip(runs, manifests, strict=True)
    ]
    about = [
        {
            "Code package": run.record.code[:16],
            "Python": run.record.python,
            "Provider": run.record.provider or manifest.provider,
            "Environment": manifest.environment,
            "Locks": ", ".join(sorted({digest[:12] for digest in run.record.environments.values()})),
            "Started by": run.record.airflow.get("triggered_by") or run.record.user,
            "Resumes": run.record.origin or "",
            "Tags": ", ".join(run.record.tags),
        }
        for run, manifest in zip(runs, manifests, strict=True)
    ]
    return Comparison(
        parameters=_rows(_names(given), given),
        metrics=_rows(_names(run.metrics for run in runs), [run.metrics for run in runs]),
        seconds=_rows(steps, seconds),
        circumstances=tuple(row for row in _rows(_names(about), about) if any(row.values)),
    )


def _names(found: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in found for name in one))


def _rows(names: Iterable[str], found: Sequence[Mapping[str, Any]]) -> tuple[ComparedValue, ...]:
    values = {name: tuple(one.get(name) for one in found) for name in names}
    return tuple(
        ComparedValue(name, of_runs, any(value != of_runs[0] for value in of_runs))
        for name, of_runs in values.items()
    )
