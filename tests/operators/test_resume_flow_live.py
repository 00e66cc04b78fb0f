"""Resuming from another DAG where workers know Airflow's API: no worker is asked for what is taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dag.deployed import Finished
from tests.plugins.resuming.failed import failed_run
from tests.services.airflow import LiveAirflow

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1200)]

WATCHER = """
from datetime import timedelta

from airflow.sdk import DAG, chain

from airflow_mlflow_provider.operators.resume_flow import ResumeFlowOperator

# One after the other, and again where the API server could not take the request: SQLite has one writer at a time, see `AirflowApi.request`.
with DAG("resume_watcher", params={"origin": ""}, default_args={"retries": 3, "retry_delay": timedelta(0)}):
    chain(
        *(
            ResumeFlowOperator(
                task_id=name,
                flow="resume_watched",
                origin="{{ params.origin }}",
                step="spread",
                poke_interval=1,
                deferrable=deferrable,
                until=until,
            )
            for name, deferrable, until in (("polling", False, ""), ("deferred", True, ""), ("stopping", False, "polish"))
        )
    )
"""


# How each run ends, and which of its tasks needed no worker: what is taken over, and what Airflow skips behind the stop. What is beside
# the way to the stop ends in a worker, at once.
ENDS = {
    "polling": ("succeeded", {"start", "way", "second"}),
    "deferred": ("succeeded", {"start", "way", "second"}),
    "stopping": ("terminated", {"start", "collect", "end"}),
}


def test_a_watching_dag_resumes_and_waits_in_a_worker_or_in_the_triggerer(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    airflow = live_airflow_sqlite
    failed = failed_run(airflow, "resume_watched", tmp_path / "fails")
    airflow.add_dag("resume_watcher", WATCHER)
    watching = airflow.api.trigger_and_wait("resume_watcher", {"origin": failed.run}, timeout=400)
    for task, (status, expected) in ENDS.items():
        flow, _, run = airflow.api.xcom("resume_watcher", watching, task, "pathspec").partition("/")
        ledger = failed.records.ledger
        resumed = Finished(ledger, flow, run)
        # It waited for the end.
        assert resumed.status == status
        assert bool(resumed.tasks("gather")) == (status == "succeeded")
        assert resumed.tasks("polish") == ["0000", "0001", "0002"]
        assert resumed.record.origin == failed.run
        instances = failed.instances(resumed.record.airflow["dag_run_id"])
        without = {label for label, one in instances.items() if one.details["pid"] is None}
        assert without == expected
