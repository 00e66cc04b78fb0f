"""What the components of Airflow import when they start to work, asked in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

OPERATOR = "airflow_mlflow_provider.operators.step"
RUNTIME = "airflow_mlflow_provider.runtime.task"
POD_OPERATOR = "airflow.providers.cncf.kubernetes.operators.pod"
ASK = """
import json, os, sys
from airflow.jobs.job import Job
from airflow.listeners.listener import get_listener_manager
answers = []
for job_type, preload in json.loads(sys.argv[1]):
    os.environ["AIRFLOW__MLFLOW_PROVIDER__PRELOAD"] = preload
    job = Job()
    job.job_type = job_type
    get_listener_manager().hook.on_starting(component=job)
    answers.append([name for name in sys.argv[2:] if name in sys.modules])
print(json.dumps(answers))
"""


def test_components_import_what_the_processes_forked_from_them_need_and_no_more() -> None:
    # From the one that imports least to the one that imports most, as one process answers for all.
    expected = {
        ("TriggererJob", "pods"): [],
        ("SchedulerJob", "none"): [],
        ("DagProcessorJob", "steps"): [OPERATOR],
        ("SchedulerJob", "steps"): [OPERATOR, RUNTIME],
        ("SchedulerJob", "pods"): [OPERATOR, RUNTIME, POD_OPERATOR],
    }
    asked = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(list(expected)), OPERATOR, RUNTIME, POD_OPERATOR],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(asked.stdout.splitlines()[-1]) == list(expected.values())
