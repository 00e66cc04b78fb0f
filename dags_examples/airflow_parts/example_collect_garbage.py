"""Old runs leave the artifact store, once a day: all but the three newest of each flow and those that were promoted."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from airflow_mlflow_provider.operators.garbage import CollectGarbageOperator


@dag(schedule="@daily", catchup=False, tags=["example"])
def example_collect_garbage() -> None:
    CollectGarbageOperator(
        task_id="collect", older_than=timedelta(days=30), keep_latest=3, keep_tags=["promoted"]
    )


example_collect_garbage()
