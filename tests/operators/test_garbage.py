"""Collecting garbage as a task."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_mlflow_provider.operators.garbage import CollectGarbageOperator
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunEnd, RunRecord
from tests.services.dag_test import run_dag


def test_old_runs_go_and_promoted_and_newest_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", tmp_path.as_uri())
    ledger = Ledger(open_store(tmp_path.as_uri()))
    for number in range(4):
        tags = ("promoted",) if number == 1 else ()
        ledger.create_run(RunRecord("TrainFlow", f"r{number}", 1000.0 + number, "u", {}, "0" * 64, tags=tags))
        ledger.end_run("TrainFlow", f"r{number}", RunEnd("succeeded", 2000.0))
    with DAG("collects", schedule=None) as dag:
        for task_id, dry in (("told", True), ("done", False)):
            CollectGarbageOperator(
                task_id=task_id,
                older_than=timedelta(0),
                keep_tags=["{{ 'promoted' }}"],
                grace=timedelta(0),
                dry_run_only=dry,
            )
        dag.get_task("told") >> dag.get_task("done")
    run = run_dag(dag)
    assert run.xcom("told")["kept"] == 2
    assert run.xcom("done")["deleted"] == ["TrainFlow/r2", "TrainFlow/r0"]
    assert ledger.latest("TrainFlow", 9) == ["r3", "r1"]
