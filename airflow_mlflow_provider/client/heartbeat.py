"""Whether a run that should be running still is."""

from __future__ import annotations

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.runtime.heartbeat import read_heartbeat
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord


def is_lost(ledger: Ledger, run: RunRecord, now: float) -> bool:
    """Whether a local run that has not ended has stopped to give signs of life.

    Args:
        ledger: The records.
        run: The run; Airflow itself watches over the runs it started.
        now: Unix seconds.
    """
    if run.airflow:
        return False
    beat = read_heartbeat(ledger.store, run.flow, run.run)
    due = run.created_at if beat is None else beat.time + beat.interval
    return now - due > get("heartbeat_timeout_s")
