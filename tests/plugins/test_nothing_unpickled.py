"""The API server reads records: while the views' routes answer, nothing is unpickled and no flow's code is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.plugins.made_run import DAG_RUN_ID, MadeRun

DAG_ID = "UnpickledFlow"
# Asks the readers of every part in a process of its own, with a hook that sees each global that an unpickler would look up.
ASK = """
import sys, warnings
warnings.simplefilter("ignore")
dag_id, run_id = sys.argv[1:]
from tests.services.dag_test import initialise_database
initialise_database()
from airflow_mlflow_provider.plugins.api import create_app
from airflow_mlflow_provider.plugins.reading.artifacts import artifact_page
from airflow_mlflow_provider.plugins.reading.logs import log_page
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.plugins.reading.tasks import TaskReader
from airflow_mlflow_provider.plugins.routes.cards import get_card, get_card_page, list_cards

class Everything:
    def may(self, *question):
        return True

create_app()
unpickled = []
sys.addaudithook(lambda event, found: unpickled.append(found) if event == "pickle.find_class" else None)
run = RunReader(dag_id, run_id)
assert run.view(Everything()).steps
assert run.progress().steps
for step in ("start", "body"):
    tasks = TaskReader(run, step)
    page = tasks.page(under="", value="", states=(), cursor="", limit=50)
    assert page.tasks
    for row in page.tasks:
        tasks.view(row.task)
        artifact_page(run, tasks.record(row.task), "", "", 50)
tasks = TaskReader(run, "start")
assert log_page(run.ledger, tasks.key("0", 0), "stdout", None, None).lines
assert list_cards(run, tasks, "0", 0).cards
assert get_card(run, tasks, "0", 0, 0)
assert get_card_page(run, tasks, "0", 0, 0)
assert not unpickled, unpickled
imported = {"cloudpickle", "wide_flow", "tests.plugins.wide_flow"} & set(sys.modules)
assert not imported, imported
"""


def test_no_route_unpickles_or_imports_a_flow(tmp_path: Path) -> None:
    MadeRun(DAG_ID, 3, failed=(1,)).write(tmp_path.as_uri())
    environment = {**os.environ, "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": tmp_path.as_uri()}
    ended = subprocess.run(
        [sys.executable, "-c", ASK, DAG_ID, DAG_RUN_ID],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
