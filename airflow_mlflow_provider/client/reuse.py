"""What the cache gave to runs: of each step with ``@cache``, which tasks took over a result and why others did not."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import msgspec

from airflow_mlflow_provider.client.summaries import manifest_of
from airflow_mlflow_provider.runtime.step_cache import CACHE_METADATA
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord

# Of a step with many splits, so many tasks of a run are read.
MOST_TASKS = 200
_AT_ONCE = 8


class StepReuse(msgspec.Struct, frozen=True):
    """What the cache did for a step of a run.

    Attributes:
        step: Name of the step.
        hits: How many tasks took over a result.
        looked: How many tasks looked for one.
        why: Why others did not, the most frequent reason first, at most three.
    """

    step: str
    hits: int
    looked: int
    why: tuple[str, ...]


def cached_steps(ledger: Ledger, run: RunRecord) -> tuple[str, ...]:
    """Names of the steps with ``@cache``, in the order of the graph."""
    graph = manifest_of(ledger, run).graph
    return tuple(step for step in graph.topological() if graph[step].decorator("cache") is not None)


def step_reuse(ledger: Ledger, run: RunRecord) -> list[StepReuse]:
    """What the cache did for a run; of each step the first two hundred tasks are read."""

    def of_step(step: str) -> StepReuse:
        keys = ledger.newest_done_keys(run.flow, run.run, step)
        records = ledger.load_done([keys[task] for task in sorted(keys)[:MOST_TASKS]])
        verdicts = [one.metadata[CACHE_METADATA] for one in records if CACHE_METADATA in one.metadata]
        reasons = Counter(text.partition(" ")[2] for text in verdicts if not text.startswith("hit "))
        return StepReuse(
            step=step,
            hits=len(verdicts) - reasons.total(),
            looked=len(verdicts),
            why=tuple(reason for reason, _ in reasons.most_common(3)),
        )

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reuse") as pool:
        return list(pool.map(of_step, cached_steps(ledger, run)))
