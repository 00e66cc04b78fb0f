"""A value registered as a named, versioned artifact, and a DAG that runs whenever there is a new version."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, get_current_context, task

from airflow_mlflow_provider.assets.artifact import artifact_asset
from airflow_mlflow_provider.operators.artifacts import FetchArtifactOperator, PublishArtifactOperator
from airflow_mlflow_provider.sensors.artifact_store import ArtifactSensor

SCORES = "example/scores"


@dag(schedule=None, tags=["example"])
def example_publish_artifact() -> None:
    @task.artifact(artifact=SCORES, tags=["candidate"], metadata={"source": "example"})
    def score() -> dict[str, Any]:
        return {"auc": 0.93, "rows": [1, 2, 3]}

    good_enough = ArtifactSensor(
        task_id="good_enough",
        artifact=f"artifact:{SCORES}",
        predicate={"path": ["auc"], "op": ">=", "value": 0.9},
        deferrable=True,
        poke_interval=1,
        timeout=120,
    )
    fetch = FetchArtifactOperator(
        task_id="fetch", artifact="{{ ti.xcom_pull(task_ids='good_enough')['artifact'] }}"
    )
    release = PublishArtifactOperator(
        task_id="release", name="example/released", value=fetch.output, tags=["released"]
    )
    score() >> good_enough >> fetch >> release


@dag(schedule=[artifact_asset(SCORES)], tags=["example"])
def example_consume_artifact() -> None:
    fetch = FetchArtifactOperator(task_id="fetch", artifact=f"artifact:{SCORES}")

    @task
    def report(scores: dict[str, Any]) -> str:
        events = get_current_context()["triggering_asset_events"]
        extra = next(iter(events.values()))[-1].extra
        return f"{extra['artifact']} {scores['auc']}"

    report(fetch.output)


example_publish_artifact()
example_consume_artifact()
