"""Runs of a flow side by side, how their numbers went, and what the cache did for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from airflow_mlflow_provider.client.comparing import ComparedValue, compare
from airflow_mlflow_provider.client.reuse import cached_steps, step_reuse
from airflow_mlflow_provider.client.summaries import RunSummary
from airflow_mlflow_provider.client.trends import numeric_artifacts, trend
from airflow_mlflow_provider.plugins.models.flows import (
    ComparedRow,
    ComparisonView,
    NumericArtifacts,
    ReuseView,
    RunReuse,
    StepReuseView,
    TrendPointView,
    TrendView,
)
from airflow_mlflow_provider.plugins.reading.flows import FlowReader, mark
from airflow_mlflow_provider.plugins.reading.surveys import survey_all
from airflow_mlflow_provider.store.records import RunRecord

_AT_ONCE = 4


def comparison(flow: FlowReader, dag_run_ids: Sequence[str], *, with_metrics: bool) -> ComparisonView:
    """Runs side by side.

    Args:
        flow: The flow.
        dag_run_ids: Airflow's ids of the runs.
        with_metrics: Whether the user may see artifacts.

    Raises:
        MetaflowNotFound: One of the runs has not begun, or is none.
    """
    runs = flow.summaries(flow.chosen(dag_run_ids), with_metrics=with_metrics)
    found = compare(flow.ledger, runs, [_seconds(flow, one) for one in runs])
    return ComparisonView(
        runs=[mark(one) for one in runs],
        parameters=_rows(found.parameters),
        metrics=_rows(found.metrics),
        seconds=_rows(found.seconds),
        circumstances=_rows(found.circumstances),
    )


def numbers_of(flow: FlowReader) -> NumericArtifacts:
    """Names of the numbers among the artifacts, as in the newest of the last runs that succeeded, or else in the newest."""
    runs = flow.summaries(flow.records(10), with_metrics=False)
    chosen = next((one for one in runs if one.status == "succeeded"), runs[0] if runs else None)
    found = numeric_artifacts(flow.ledger, chosen.record) if chosen else {}
    return NumericArtifacts(steps={step: list(names) for step, names in found.items()})


def trend_of(flow: FlowReader, step: str, name: str, runs: int) -> TrendView:
    """A number over the last runs, oldest first."""
    records = flow.records(runs)[::-1]
    ids = {record.run: str(record.airflow.get("dag_run_id", "")) for record in records}
    return TrendView(
        step=step,
        name=name,
        points=[
            TrendPointView(
                run=one.run,
                dag_run_id=ids[one.run],
                created_at=one.created_at,
                mean=one.mean,
                lowest=one.lowest,
                highest=one.highest,
                tasks=one.tasks,
            )
            for one in trend(flow.ledger, records, step, name)
        ],
    )


def reuse_of(flow: FlowReader, runs: int) -> ReuseView:
    """What the cache did for the last runs."""
    graph = flow.manifest.graph
    steps = [step for step in graph.topological() if graph[step].decorator("cache") is not None]
    records = [record for record in flow.records(runs) if cached_steps(flow.ledger, record)]

    def of_run(record: RunRecord) -> list[StepReuseView]:
        found = step_reuse(flow.ledger, record)
        return [
            StepReuseView(step=one.step, hits=one.hits, looked=one.looked, why=list(one.why)) for one in found
        ]

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reuse") as pool:
        reused = list(pool.map(of_run, records))
    marks = map(mark, flow.summaries(records, with_metrics=False))
    return ReuseView(
        steps=steps,
        runs=[RunReuse(mark=one, steps=found) for one, found in zip(marks, reused, strict=True)],
    )


def _seconds(flow: FlowReader, run: RunSummary) -> dict[str, float]:
    """Seconds from the beginning of a step's first task to the end of its last, by step; of those that ran in this run."""
    record = run.record
    steps = flow.ledger.steps(record.flow, record.run)
    ended_at = (run.end.ended_at or None) if run.end else None
    surveys = survey_all(flow.manifest.store, record.flow, record.run, steps, ended_at)
    found: dict[str, float] = {}
    for step, tasks in zip(steps, surveys, strict=True):
        began = [one.began for one in tasks if one.began is not None]
        ended = [one.ended for one in tasks if one.ended is not None]
        if began and ended:
            found[step] = round(max(ended) - min(began), 3)
    return found


def _rows(rows: Iterable[ComparedValue]) -> list[ComparedRow]:
    return [ComparedRow(name=row.name, values=list(row.values), differs=row.differs) for row in rows]
