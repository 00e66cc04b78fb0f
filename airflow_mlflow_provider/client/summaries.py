"""How the last runs of a flow went: their verdicts, durations and numbers, from records alone."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from airflow_mlflow_provider.plan.identity import ROOT_TASK_ID
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry, DoneRecord, RunEnd, RunRecord

MOST_METRICS = 12
_PLAIN_NUMBERS = ("int", "float", "bool")
_NUMPY_NUMBERS = ("numpy.float", "numpy.int", "numpy.uint", "numpy.bool")
_AT_ONCE = 8
# Runs of other DAGs of the same flow lie between those that are asked for; so many are looked at.
_MOST_LOOKED_AT = 1000
_BATCH = 50


@dataclass(frozen=True)
class RunSummary:
    """How a run went, as far as its records tell.

    Attributes:
        record: What it was started with.
        end: The verdict, ``None`` while there is none.
        metrics: The numbers among the artifacts of its end step, by name; truth values are 1 and 0.
        tests: The truth values among them, by name: what the flow has checked, and whether it held.
    """

    record: RunRecord
    end: RunEnd | None
    metrics: dict[str, float]
    tests: dict[str, bool] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """``running``, or the verdict."""
        return self.end.status if self.end else "running"

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.end is None else self.end.ended_at - self.record.created_at


def last_runs(ledger: Ledger, flow: str, most: int = 10) -> list[RunSummary]:
    """The newest runs of a flow, newest first; one listing and three reads for each run, done at once.

    Args:
        ledger: The store's records.
        flow: Name of the flow.
        most: How many at most.
    """
    return summaries(ledger, ledger.load_runs(flow, ledger.latest(flow, most)))


def summaries(ledger: Ledger, records: Sequence[RunRecord]) -> list[RunSummary]:
    """How runs went, in the order of their records."""

    def summary(record: RunRecord) -> RunSummary:
        manifest = manifest_of(ledger, record)
        end = ledger.run_end(record.flow, record.run)
        done = ledger.newest_done(record.flow, record.run, manifest.graph.end, ROOT_TASK_ID)
        return RunSummary(record, end, {}) if done is None else _summary(record, end, done, manifest)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="summaries") as pool:
        return list(pool.map(summary, records))


def dag_runs(ledger: Ledger, flow: str, dag_id: str, after: str = "") -> Iterator[RunRecord]:
    """The runs of a flow that a DAG ran, newest first, read as they are asked for; of the newest thousand runs of the flow.

    Args:
        ledger: The store's records.
        flow: Name of the flow.
        dag_id: The DAG; runs of other DAGs of the same flow, and local ones, are left out.
        after: Only runs older than the run with this id.
    """
    ids: Iterator[str] = itertools.islice(ledger.runs(flow), _MOST_LOOKED_AT)
    if after:
        ids = itertools.islice(itertools.dropwhile(lambda run: run != after, ids), 1, None)
    while batch := list(itertools.islice(ids, _BATCH)):
        yield from (one for one in ledger.load_runs(flow, batch) if one.airflow.get("dag_id") == dag_id)


def manifest_of(ledger: Ledger, record: RunRecord) -> FlowManifest:
    """The flow as it was when a run began."""
    return _manifest(ledger.store, record.manifest)


def numbers(done: DoneRecord, manifest: FlowManifest) -> dict[str, float]:
    """The numbers among the artifacts of a task, from their previews, by name; parameters are not among them."""
    fixed = {spec.attribute for spec in manifest.parameters}
    found: Mapping[str, float | None] = {
        name: number_of(entry)
        for name, entry in sorted(done.artifacts.items())
        if name not in fixed and not name.startswith("_")
    }
    return {name: number for name, number in found.items() if number is not None}


def _summary(record: RunRecord, end: RunEnd | None, done: DoneRecord, manifest: FlowManifest) -> RunSummary:
    metrics = dict(itertools.islice(numbers(done, manifest).items(), MOST_METRICS))
    tests = {name: value > 0 for name, value in metrics.items() if is_truth(done.artifacts[name])}
    return RunSummary(record, end, metrics, tests)


def is_truth(entry: ArtifactEntry) -> bool:
    """Whether an artifact is one truth value."""
    return entry.type == "bool" or entry.type.startswith("numpy.bool")


def number_of(entry: ArtifactEntry) -> float | None:
    """The value of an artifact that is one finite number, as its preview tells it; ``None`` for any other artifact."""
    if entry.type not in _PLAIN_NUMBERS and not entry.type.startswith(_NUMPY_NUMBERS):
        return None
    text = str((entry.preview or {}).get("repr", ""))
    try:
        number = {"True": 1.0, "False": 0.0}.get(text)
        number = float(text) if number is None else number
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@functools.lru_cache(maxsize=256)
def _manifest(store: Store, digest: str) -> FlowManifest:
    return decode(Ledger(store).blob(digest), f"manifest {digest}")
