"""The runs of a flow that a DAG ran."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_mlflow_provider.client.summaries import RunSummary, dag_runs, summaries
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plugins.models.flows import RunMark, RunPage, RunRow
from airflow_mlflow_provider.plugins.stores import ledger_at
from airflow_mlflow_provider.store.records import RunEnd, RunRecord, RunStatus
from airflow_mlflow_provider.store.user_tags import user_tags_of

_MARKS = 10
_ENDED: Mapping[str, RunStatus] = {"success": "succeeded", "failed": "failed"}


class FlowReader:
    """Reads the runs of a flow that a DAG ran.

    Args:
        manifest: The flow as it is deployed.
    """

    def __init__(self, manifest: FlowManifest) -> None:
        self.manifest = manifest
        self.dag_id = manifest.dag_id
        self.ledger = ledger_at(manifest.store)
        self.flow = manifest.flow_name

    def records(self, limit: int, after: str = "") -> list[RunRecord]:
        """The newest runs, newest first.

        Args:
            limit: How many at most.
            after: Only runs older than the one with this run id.
        """
        return list(itertools.islice(dag_runs(self.ledger, self.flow, self.dag_id, after), limit))

    def chosen(self, dag_run_ids: Sequence[str]) -> list[RunRecord]:
        """Runs by Airflow's ids.

        Raises:
            MetaflowNotFound: One of them has not begun, or is none.
        """
        wanted = [airflow_run_id(self.dag_id, one) for one in dag_run_ids]
        found = {record.run: record for record in self.ledger.load_runs(self.flow, wanted)}
        missing = next((one for one, run in zip(dag_run_ids, wanted, strict=True) if run not in found), None)
        if missing is not None:
            raise MetaflowNotFound(
                f"The DAG {self.dag_id} has no run {missing} of {self.flow}.",
                fix="List its runs.",
                where={"dag": self.dag_id, "run": missing},
            )
        return [found[run] for run in wanted]

    def summaries(self, records: Sequence[RunRecord], *, with_metrics: bool = True) -> list[RunSummary]:
        """How runs went; Airflow's word counts for those that it ended by itself."""
        found = summaries(self.ledger, records)
        states = _airflow_states(self.dag_id, (one.airflow.get("dag_run_id", "") for one in records))
        return [
            dataclasses.replace(one, end=_end(one, states), metrics=one.metrics if with_metrics else {})
            for one in found
        ]

    def page(self, after: str, limit: int, *, with_metrics: bool) -> RunPage:
        """A page of the runs, newest first."""
        records = self.records(limit + 1, after)
        shown = records[:limit]
        rows = zip(
            self.summaries(shown, with_metrics=with_metrics), user_tags_of(self.ledger, shown), strict=True
        )
        return RunPage(
            runs=[
                RunRow(
                    mark=mark(summary),
                    started_by=_started_by(summary.record),
                    tags=sorted(tags),
                    parameters=summary.record.parameters,
                    metrics=summary.metrics,
                )
                for summary, tags in rows
            ],
            next=shown[-1].run if len(records) > limit else "",
        )

    def marks(self) -> list[RunMark]:
        """The last runs, from two reads for each."""
        records = self.records(_MARKS)
        states = _airflow_states(self.dag_id, (one.airflow.get("dag_run_id", "") for one in records))
        ends = (self.ledger.run_end(self.flow, one.run) for one in records)
        found = (RunSummary(one, end, {}) for one, end in zip(records, ends, strict=True))
        return [mark(dataclasses.replace(one, end=_end(one, states))) for one in found]


def mark(summary: RunSummary) -> RunMark:
    """A run in a row of runs."""
    record, seconds = summary.record, summary.seconds
    return RunMark(
        run=record.run,
        dag_run_id=str(record.airflow.get("dag_run_id", "")),
        status=summary.status,
        created_at=record.created_at,
        seconds=None if seconds is None or seconds < 0 else round(seconds, 3),
    )


def _started_by(record: RunRecord) -> str:
    return str(record.airflow.get("triggered_by") or record.airflow.get("run_type") or record.user)


def _airflow_states(dag_id: str, dag_run_ids: Iterable[str]) -> dict[str, str]:
    """Airflow's states of DAG runs, by id; of those that it still knows."""
    wanted = select(DagRun.run_id, DagRun.state).where(
        DagRun.dag_id == dag_id, DagRun.run_id.in_(list(dag_run_ids))
    )
    with create_session() as session:
        return {run_id: str(getattr(state, "value", state)) for run_id, state in session.execute(wanted)}


def _end(summary: RunSummary, states: Mapping[str, str]) -> RunEnd | None:
    """The verdict on a run; ``None`` while it goes on, also while cleared tasks of it run again."""
    state = states.get(str(summary.record.airflow.get("dag_run_id")))
    if state is None or (summary.end is not None and state in _ENDED):
        return summary.end
    if state not in _ENDED:
        return None
    # Ended by hand, or before the task that seals the run could; nobody noted when.
    return RunEnd(_ENDED[state], 0.0, "Airflow ended the DAG run before the flow did.")
