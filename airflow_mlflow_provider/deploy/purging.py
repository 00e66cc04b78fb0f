"""Removing the runs of a deployment from the store."""

from __future__ import annotations

from airflow_mlflow_provider.client.garbage import Collected, collect_garbage
from airflow_mlflow_provider.client.retention import Retention
from airflow_mlflow_provider.store.ledger import Ledger

_CONTENT_GRACE = Retention(older_than=0).grace


def purge_runs(ledger: Ledger, dag_id: str) -> Collected:
    """Delete the runs of a DAG now, and with them what only they referred to, as far as it is old enough.

    Tasks that other runs took over, by resume or from the cache, stay. Blobs that may be those of a run that is just being
    written stay until a later ``airflow-flow gc``.

    Args:
        ledger: The records of the store.
        dag_id: The DAG, which Airflow runs no more.

    Raises:
        StoreException: The store failed; another call goes on.
    """
    mine = Retention(older_than=0, keep_latest=0, dag_id=dag_id, grace=0, content_grace=_CONTENT_GRACE)
    return collect_garbage(ledger, mine)
