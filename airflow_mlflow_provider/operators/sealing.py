"""Writing the verdict on a run that has failed, or has stopped where it was to."""

from __future__ import annotations

from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.store.ledger import Ledger

# What the verdict on a run begins with that stops where it was to. Others of its tasks may run then, and fail.
STOPPED = "stopped"


def seal_failed(ledger: Ledger, flow: str, run: str, reason: str) -> None:
    """Seal a run as failed, unless a user has terminated it or it failed before it had a record.

    Args:
        ledger: The records.
        flow: Name of the flow.
        run: Run id.
        reason: Why the run failed, if no task did.
    """
    from airflow_mlflow_provider.store.ending import failed_run_end

    try:
        ledger.run(flow, run)
    except MetaflowNotFound:
        # Refused parameters, say: the run never began, and there is nothing to put a verdict on.
        return
    end = ledger.run_end(flow, run)
    if end is None or end.status != "terminated" or end.reason.startswith(STOPPED):
        ledger.end_run(flow, run, failed_run_end(ledger, flow, run, reason))
