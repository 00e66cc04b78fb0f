"""The verdict on a run that failed, read from the records of its tasks."""

from __future__ import annotations

import time

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunEnd

_SHOWN = 10


def failed_run_end(ledger: Ledger, flow: str, run: str, reason: str) -> RunEnd:
    """What to seal a failed run with: the tasks whose newest attempt failed, and why.

    Args:
        ledger: The records.
        flow: Name of the flow.
        run: Run id.
        reason: Why the run failed, if no task did.
    """
    records = [
        record
        for step in ledger.steps(flow, run)
        for record in ledger.load_done(list(ledger.newest_finished_keys(flow, run, step)[1].values()))
    ]
    told = "; ".join(
        f"{record.key.step}/{record.key.task}: {record.exception.message if record.exception else 'failed'}"
        for record in records[:_SHOWN]
    )
    return RunEnd("failed", time.time(), told or reason, tuple(record.key.pathspec for record in records))
