"""Arrays and frames as XComs, in the artifact store rather than in Airflow's database.

Needs ``[core] xcom_backend = airflow_mlflow_provider.xcom.artifact_store.ArtifactStoreXComBackend``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from airflow.sdk import dag, get_current_context, task

from airflow_mlflow_provider.xcom.reference import pull_reference


@dag(schedule=None, tags=["example"])
def example_artifact_store_xcom() -> None:
    @task
    def shards() -> list[int]:
        return [1, 2, 3]

    @task
    def load(shard: int) -> Any:
        return {"shard": shard, "rows": np.arange(2000) * shard}

    @task
    def total(parts: Any) -> int:
        return int(sum(part["rows"].sum() for part in parts))

    @task
    def large() -> Any:
        return np.ones(100_000)

    @task
    def pass_on() -> Any:
        # A reference: the array is neither downloaded nor uploaded by this task.
        return pull_reference(get_current_context()["ti"], "large")

    @task
    def length(array: Any) -> int:
        return len(array)

    total(load.expand(shard=shards()))
    passed = pass_on()
    large() >> passed
    length(passed)


example_artifact_store_xcom()
