"""What the components of Airflow import when they start to work."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.services.airflow import LiveAirflow

OPERATOR = "airflow_mlflow_provider.operators.step"
RUNTIME = "airflow_mlflow_provider.runtime.task"
POD_OPERATOR = "airflow.providers.cncf.kubernetes.operators.pod"
ASK = """
import json, os, sys
from airflow.jobs.job import Job
cases, *names = json.loads(sys.argv[1])
answers = []
for command, preload, compute in cases:
    os.environ["AIRFLOW__MLFLOW_PROVIDER__PRELOAD"] = preload
    os.environ["AIRFLOW__MLFLOW_PROVIDER__DEFAULT_COMPUTE"] = compute
    sys.argv = ["airflow", command]
    Job()  # As the command does; it calls the listeners.
    answers.append([name for name in names if name in sys.modules])
print(json.dumps(answers))
"""


def test_components_import_what_the_processes_forked_from_them_need_and_no_more() -> None:
    # From the one that imports least to the one that imports most, as one process answers for all.
    expected = {
        ("triggerer", "pods", "kubernetes"): [],
        ("scheduler", "none", "kubernetes"): [],
        ("dag-processor", "auto", "kubernetes"): [OPERATOR],
        ("scheduler", "auto", "worker"): [OPERATOR, RUNTIME],
        ("scheduler", "steps", "kubernetes"): [OPERATOR, RUNTIME],
        ("scheduler", "auto", "kubernetes"): [OPERATOR, RUNTIME, POD_OPERATOR],
    }
    asked = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps([list(expected), OPERATOR, RUNTIME, POD_OPERATOR])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(asked.stdout.splitlines()[-1]) == list(expected.values())


@pytest.mark.live
def test_a_task_finds_imported_what_the_scheduler_has_imported(live_airflow_sqlite: LiveAirflow) -> None:
    live_airflow_sqlite.add_dag(
        "imported_before",
        f"""
        from airflow.sdk import DAG, task

        with DAG("imported_before", schedule=None):

            @task
            def ask():
                import sys

                return [name for name in {[RUNTIME, POD_OPERATOR]} if name in sys.modules]

            ask()
        """,
    )
    run_id = live_airflow_sqlite.api.trigger_and_wait("imported_before")
    assert live_airflow_sqlite.api.xcom("imported_before", run_id, "ask") == [RUNTIME]
