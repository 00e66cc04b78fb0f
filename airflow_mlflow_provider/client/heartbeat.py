"""Whether a run that should be running still is."""

from __future__ import annotations

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import ObjectNotFound
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord, run_prefix


class _Heartbeat(msgspec.Struct):
    time: float = 0.0


def is_lost(ledger: Ledger, run: RunRecord, now: float) -> bool:
    """Whether a local run that has not ended has stopped to give signs of life.

    Args:
        ledger: The records.
        run: The run; Airflow itself watches over the runs it started.
        now: Unix seconds.
    """
    if run.airflow:
        return False
    try:
        data = ledger.store.get(f"{run_prefix(run.flow, run.run)}/heartbeat")
        last = msgspec.json.decode(data, type=_Heartbeat).time
    except ObjectNotFound:
        last = run.created_at + float(get("heartbeat_s"))
    return now - last > float(get("heartbeat_timeout_s"))
