from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.sdk import DAG, task

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.operators.artifacts import (
    FetchArtifactOperator,
    PublishArtifactOperator,
    TagRunOperator,
)
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunRecord
from tests.services.dag_test import run_dag


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The records of the configured store, which is empty."""
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", tmp_path.as_uri())
    return Ledger(open_store(tmp_path.as_uri()))


def test_what_a_function_returns_becomes_a_version_that_others_fetch(ledger: Ledger) -> None:
    with DAG("publishes", schedule=None) as dag:

        @task.artifact(artifact="team/array", tags=["a"])
        def made() -> Any:
            return {"array": np.arange(5000), "n": 7}

        @task
        def read(facts: Any) -> int:
            return int(ArtifactStoreHook().fetch(facts["artifact"])["array"].sum())

        facts = made()
        read(facts)
        PublishArtifactOperator(task_id="again", name="team/{{ 'copy' }}", value={"n": 7}, metadata={"k": 1})
    run = run_dag(dag)
    assert run.xcom("made")["artifact"] == "artifact:team/array@1"
    assert (run.xcom("made")["tags"], run.xcom("made")["metrics"]) == (["a"], {"n": 7})
    assert run.xcom("read") == np.arange(5000).sum()
    assert run.xcom("again")["artifact"] == "artifact:team/copy@1"
    again = run_dag(dag)
    assert again.xcom("made")["artifact"] == "artifact:team/array@1"
    assert [asset.name for asset in dag.get_task("made").outlets] == ["artifact:team/array"]
    assert not dag.get_task("again").outlets


def test_the_tags_of_the_latest_run_are_changed_at_once(ledger: Ledger) -> None:
    for number in (1, 2):
        ledger.create_run(
            RunRecord("TrainFlow", f"r{number}", float(number), "u", {}, "0" * 64, tags=("candidate",))
        )
    with DAG("promotes", schedule=None) as dag:
        TagRunOperator(task_id="promote", run="TrainFlow/latest", add=["promoted"], remove="candidate")
    assert run_dag(dag).xcom("promote") == {"pathspec": "TrainFlow/r2", "tags": ["promoted"]}


@pytest.mark.parametrize("run", ["TrainFlow", "TrainFlow/", "/r1", "TrainFlow/r1/step"])
def test_what_is_no_run_is_refused(ledger: Ledger, run: str) -> None:
    with pytest.raises(CommandException, match="is not the pathspec of a run"):
        TagRunOperator(task_id="t", run=run).execute({})


def test_a_pathspec_with_an_unknown_shape_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="is not the pathspec of an artifact"):
        FetchArtifactOperator(task_id="f", artifact="TrainFlow/r1").execute({})


def test_a_name_that_cannot_be_one_fails_when_the_dag_is_parsed() -> None:
    with pytest.raises(CommandException, match="cannot be the name"):
        PublishArtifactOperator(task_id="p", name="a b", value=1)
