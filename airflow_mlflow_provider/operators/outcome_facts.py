"""What an asset event tells of the values behind it: digest, numbers, tags. All of it is JSON and bounded, and no value is read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.hashing import digest_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

if TYPE_CHECKING:
    from airflow.sdk import Context

_MOST_ARTIFACTS = 50


def run_outcome(ledger: Ledger, manifest: FlowManifest, run: str, end: AttemptKey) -> dict[str, Any]:
    """What a run came to, from the record of its end task.

    Args:
        ledger: The records.
        manifest: The flow.
        run: Run id.
        end: The attempt of the end task; of a run that took it over, the origin's.

    Returns:
        ``artifacts``, the digests of the end task's artifacts by name, the first fifty; ``digest``, one of all of them, by
        which a run that came to the same is known; ``metrics``, the numbers among them; ``tags`` of the user.
    """
    # Heavy, and operators are imported where DAG files are parsed.
    from airflow_mlflow_provider.client.summaries import numbers
    from airflow_mlflow_provider.store.user_tags import user_tags

    (done,) = ledger.load_done([end])
    digests = {
        name: done.artifacts[name].digest for name in sorted(done.artifacts) if not name.startswith("_")
    }
    table = msgspec.json.encode(digests)
    return {
        "digest": digest_of([table], len(table)),
        "artifacts": dict(itertools.islice(digests.items(), _MOST_ARTIFACTS)),
        "metrics": _first(numbers(done, manifest)),
        "tags": sorted(user_tags(ledger, ledger.run(manifest.flow_name, run))),
    }


def partition(context: Context) -> dict[str, str]:
    """The partition that the DAG run is for, as ``partition_key``; empty for a run of no partition, and before Airflow 3.3."""
    key = getattr(context.get("dag_run"), "partition_key", None)
    return {"partition_key": str(key)} if key else {}


def value_metrics(value: Any, metadata: Mapping[str, Any] | None) -> dict[str, float]:
    """The numbers that a published value is told by: those of a dict, and those under ``metrics`` of its metadata.

    Args:
        value: The value.
        metadata: What was published with it.
    """
    told = (metadata or {}).get("metrics")
    return _first({**_numbers_in(value), **_numbers_in(told)})


def _numbers_in(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {}
    return {
        key: member
        for key, member in value.items()
        if isinstance(key, str) and isinstance(member, (int, float)) and math.isfinite(member)
    }


def _first(found: Mapping[str, float]) -> dict[str, float]:
    from airflow_mlflow_provider.client.summaries import MOST_METRICS

    return dict(itertools.islice(found.items(), MOST_METRICS))
