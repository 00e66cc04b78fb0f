"""How a number among a flow's artifacts went from run to run, from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from airflow_mlflow_provider.client.summaries import manifest_of, number_of, numbers
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord

# Of a step with many splits, so many tasks of a run are read.
MOST_SPLITS = 100
_AT_ONCE = 8


class TrendPoint(msgspec.Struct, frozen=True):
    """An artifact in one run.

    Attributes:
        run: Run id.
        created_at: When the run was started, in Unix seconds.
        mean: The number; of a step with several tasks, their mean.
        lowest: The lowest of them.
        highest: The highest of them.
        tasks: Of how many tasks.
    """

    run: str
    created_at: float
    mean: float
    lowest: float
    highest: float
    tasks: int


def numeric_artifacts(ledger: Ledger, run: RunRecord) -> dict[str, tuple[str, ...]]:
    """Names of the numbers among the artifacts of a run's steps, by step in the order of the graph.

    The first task of each step is looked at. A number that a step inherited is named only where it was first set.
    """
    manifest = manifest_of(ledger, run)
    steps = manifest.graph.topological()

    def of_step(step: str) -> dict[str, str]:
        keys = ledger.newest_done_keys(run.flow, run.run, step)
        if not keys:
            return {}
        (record,) = ledger.load_done([keys[min(keys)]])
        return {name: record.artifacts[name].digest for name in numbers(record, manifest)}

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="trends") as pool:
        found = dict(zip(steps, pool.map(of_step, steps), strict=True))
    seen: set[tuple[str, str]] = set()
    named: dict[str, tuple[str, ...]] = {}
    for step in steps:
        new = {(name, digest) for name, digest in found[step].items()} - seen
        seen |= new
        if new:
            named[step] = tuple(sorted(name for name, _ in new))
    return named


def trend(ledger: Ledger, runs: Sequence[RunRecord], step: str, name: str) -> list[TrendPoint]:
    """A number from run to run, in the order of the runs; runs in which the step did not set it are left out.

    Args:
        ledger: The store's records.
        runs: The runs, of one flow.
        step: The step; of a foreach, the first hundred of its tasks count.
        name: Name of the artifact.
    """

    def point(run: RunRecord) -> TrendPoint | None:
        keys = ledger.newest_done_keys(run.flow, run.run, step)
        records = ledger.load_done([keys[task] for task in sorted(keys)[:MOST_SPLITS]])
        entries = [record.artifacts[name] for record in records if name in record.artifacts]
        found = [number for entry in entries if (number := number_of(entry)) is not None]
        if not found:
            return None
        mean = sum(found) / len(found)
        return TrendPoint(run.run, run.created_at, mean, min(found), max(found), len(found))

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="trends") as pool:
        return [one for one in pool.map(point, runs) if one is not None]
