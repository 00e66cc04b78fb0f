"""The user tags of runs: those that a run began with, or the object that a later change has put beside its record."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from airflow_mlflow_provider.exception import ObjectNotFound
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord, run_prefix


def tags_key(flow: str, run: str) -> str:
    """Where the user tags of a run are once they are others than those in its record."""
    return f"{run_prefix(flow, run)}/tags.json"


def user_tags(ledger: Ledger, run: RunRecord) -> frozenset[str]:
    """The user tags of a run."""
    try:
        return frozenset(msgspec.json.decode(ledger.store.get(tags_key(run.flow, run.run)), type=list[str]))
    except ObjectNotFound:
        return frozenset(run.tags)


def user_tags_of(ledger: Ledger, runs: Sequence[RunRecord]) -> list[frozenset[str]]:
    """The user tags of runs, read at once."""
    found = zip(runs, ledger.store.get_many([tags_key(run.flow, run.run) for run in runs]), strict=True)
    return [
        frozenset(run.tags if data is None else msgspec.json.decode(data, type=list[str]))
        for run, data in found
    ]
