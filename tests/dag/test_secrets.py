"""`@secrets` from Airflow's connections and variables: they reach the step, and nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.operators.secrets import resolve_secrets
from airflow_mlflow_provider.plan.manifest import encode
from tests.dag.deployed import Finished, deploy
from tests.dag.test_live import put
from tests.services.airflow import LiveAirflow
from tests.services.dag_test import initialise_database, run_dag

CONNECTION = "postgres://ada:very-secret-pass@db.example:5432/main"
VALUES = ("very-secret-pass", "very-secret-key")


@pytest.fixture
def known() -> None:
    """A connection and a variable in Airflow's database."""
    initialise_database()
    from airflow.models import Connection, Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == "warehouse"))
        session.add(Connection(conn_id="warehouse", uri=CONNECTION))
        session.merge(Variable(key="service_key", val=VALUES[1]))  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("known")
def test_they_reach_the_step_and_neither_dag_nor_xcom(tmp_path: Path) -> None:
    manifest = deploy("with_secrets", tmp_path)
    run = run_dag(build_dag(manifest))
    finished = Finished.of(manifest, run)
    assert finished.artifact("start", "right") is True
    assert finished.artifact("start", "host") == "db.example"
    assert finished.artifact("end", "left") == []
    # That the log masks them is shown on a live Airflow below: `dag.test()` logs past the masker.
    for value in VALUES:
        assert value not in str(run.xcoms)
        assert value.encode() not in encode(manifest)


def test_what_airflow_does_not_have_fails_the_task_by_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = deploy("with_secrets", tmp_path)
    start = manifest.graph["start"]
    (decorator,) = start.decorators
    sources = {**decorator.attributes, "sources": ["airflow-variable.absent"]}
    changed = msgspec.structs.replace(
        start, decorators=(msgspec.structs.replace(decorator, attributes=sources),)
    )
    graph = msgspec.structs.replace(manifest.graph, steps={**manifest.graph.steps, "start": changed})
    run = run_dag(build_dag(msgspec.structs.replace(manifest, graph=graph)), expected="failed")
    assert run.states["start"] == "failed"
    told = capfd.readouterr()
    assert "Airflow variable 'absent'" in told.out + told.err


def test_a_step_without_secrets_asks_for_nothing(tmp_path: Path) -> None:
    assert resolve_secrets(deploy("with_secrets", tmp_path).graph["end"]) == {}


@pytest.mark.live
@pytest.mark.slow
def test_what_the_step_prints_is_masked_in_airflows_log(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    api = live_airflow_sqlite.api
    api.request(
        "POST",
        "/connections",
        json={"connection_id": "warehouse", "conn_type": "postgres", "host": "db", "password": VALUES[0]},
    )
    api.request("POST", "/variables", json={"key": "service_key", "value": VALUES[1]})
    manifest = put(live_airflow_sqlite, deploy("with_secrets", tmp_path), "secrets_live")
    run_id = api.trigger_and_wait(manifest.dag_id)
    log = api.task_log(manifest.dag_id, run_id, "start")
    assert "printed *** ***" in log
    assert not any(value in log for value in VALUES)
