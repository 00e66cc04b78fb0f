"""The verdict on a run that failed, read from the records of its tasks."""

from __future__ import annotations

import time
from collections.abc import Iterable

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord, RunEnd

_SHOWN = 10


def failed_tasks(ledger: Ledger, flow: str, run: str, steps: Iterable[str]) -> list[DoneRecord]:
    """The records of the tasks whose newest attempt failed.

    Args:
        ledger: The records.
        flow: Name of the flow.
        run: Run id.
        steps: The steps to look at.
    """
    return [
        record
        for step in steps
        for record in ledger.load_done(list(ledger.newest_finished_keys(flow, run, step)[1].values()))
    ]


def failed_run_end(ledger: Ledger, flow: str, run: str, reason: str) -> RunEnd:
    """What to seal a failed run with: the tasks whose newest attempt failed, and why.

    Args:
        ledger: The records.
        flow: Name of the flow.
        run: Run id.
        reason: Why the run failed, if no task did.
    """
    records = failed_tasks(ledger, flow, run, ledger.steps(flow, run))
    told = "; ".join(
        f"{record.key.step}/{record.key.task}: {record.exception.message if record.exception else 'failed'}"
        for record in records[:_SHOWN]
    )
    return RunEnd("failed", time.time(), told or reason, tuple(record.key.pathspec for record in records))
