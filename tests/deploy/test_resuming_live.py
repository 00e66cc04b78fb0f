"""Resuming between a laptop and Airflow, and by the command line: with the plugin, and where it cannot read the store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.deploy.record import Deployments
from tests.flow_runs import FlowFile, FlowRun
from tests.services.airflow import PASSWORDS, LiveAirflow

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1200)]

SOURCE = """
    class AcrossFlow(FlowSpec):
        alpha = Parameter("alpha", default=1)

        @step
        def start(self):
            self.items = [1, 2]
            self.next(self.body, foreach="items")

        @step
        def body(self):
            self.value = self.input * self.alpha
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(one.value for one in inputs) + 0
            self.next(self.end)

        @step
        def end(self):
            assert self.total < 0, "broken"
"""


class Site:
    """A flow in a file, and the Airflow that it is deployed into."""

    def __init__(self, folder: Path, airflow: LiveAirflow, store: str) -> None:
        self.file = FlowFile(folder, SOURCE, store)
        self.api = airflow.api
        self.variables = {
            "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true",
            "AIRFLOW__MLFLOW_PROVIDER__DAGS_FOLDER": str(airflow.dags_folder),
            "AIRFLOW__MLFLOW_PROVIDER__API_URL": airflow.base_url,
            "AIRFLOW__MLFLOW_PROVIDER__API_USER": "admin",
            "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": PASSWORDS["admin"],
        }

    def airflow(self, *arguments: str) -> FlowRun:
        """Run a command of the `airflow` group."""
        return self.file.run(*arguments, command="airflow", environment=self.variables, seconds=300)

    def broken(self, fails: bool) -> None:
        """Write the flow's last step so that it fails, or does not."""
        text = self.file.path.read_text("utf-8")
        sign = "<" if fails else ">"
        self.file.path.write_text(re.sub("total [<>] 0,", f"total {sign} 0,", text), "utf-8")

    def edited(self, before: str, after: str) -> None:
        """Change the flow's file."""
        text = self.file.path.read_text("utf-8")
        assert before in text
        self.file.path.write_text(text.replace(before, after), "utf-8")

    def processes(self, run: FlowRun) -> set[str]:
        """Labels of the task instances of a run that a worker was asked for."""
        found = self.api.task_instances("AcrossFlow", run.record.airflow["dag_run_id"])
        return {one.label for one in found if one.details["pid"] is not None}

    def ran(self, run: FlowRun) -> set[str]:
        """Names of the steps of which a task ran in a run itself."""
        steps = ("start", "body", "join", "end")
        return {step for step in steps if any(one.key.run == run.run for one in run.records(step))}


@pytest.fixture(scope="module")
def site(live_airflow_sqlite: LiveAirflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("across"), live_airflow_sqlite, live_airflow_sqlite.store)
    site.airflow("create").succeeded()
    yield site
    site.airflow("delete").succeeded()


@pytest.fixture(scope="module")
def production(site: Site) -> FlowRun:
    """A run in Airflow that has failed in its last step."""
    failed = site.airflow("trigger", "--wait").failed()
    assert failed.error("end") == "builtins.AssertionError: broken"
    return failed


def test_a_failed_production_run_is_resumed_on_the_laptop_with_edited_code(
    site: Site, production: FlowRun
) -> None:
    site.broken(False)
    local = site.file.run("--origin-run-id", production.run, command="resume").succeeded()
    assert site.ran(local) == {"end"}
    assert local.value("total") == 3
    assert local.record.origin == production.run


def test_a_local_run_is_resumed_on_airflow_and_no_worker_is_asked_for_what_it_had_finished(
    site: Site,
) -> None:
    site.broken(True)
    local = site.file.run().failed()
    site.broken(False)
    site.airflow("create").succeeded()
    resumed = site.airflow("resume", local.run, "--wait").succeeded()
    assert f"Taken over from {local.run}: start (1), body (2), join (1)" in resumed.stderr
    assert "end/0, which failed" in resumed.stderr
    assert resumed.record.origin == local.run
    assert site.processes(resumed) == {"end"}
    assert resumed.value("total") == 3


def test_a_step_a_parameter_and_changed_code_decide_what_runs_again(site: Site, production: FlowRun) -> None:
    site.broken(False)
    site.airflow("create").succeeded()
    told = site.airflow("resume", production.run, "join", "--dry-run").succeeded()
    assert "join/0, which was asked for" in told.stdout
    other = site.airflow("resume", production.run, "--alpha", "5", "--wait").succeeded()
    assert other.value("total") == 15
    assert site.ran(other) == {"body", "join", "end"}
    site.edited(") + 0", ") + 1000")
    site.airflow("create").succeeded()
    kept = site.airflow("resume", "--origin-run-id", production.run, "--dry-run").succeeded()
    assert "although their code has changed: join" in kept.stdout
    changed = site.airflow("resume", production.run, "--rerun-changed", "--wait").succeeded()
    assert changed.value("total") == 1003
    assert site.processes(changed) == {"join", "end"}


def test_a_resumed_run_stops_where_it_is_told_to(site: Site, production: FlowRun) -> None:
    stopped = site.airflow("resume", production.run, "join", "--until", "join", "--wait").succeeded()
    assert site.ran(stopped) == {"join"}
    assert site.processes(stopped) == {"join", "end"}
    assert stopped.end.status == "terminated"


def test_with_the_code_of_the_origin_the_resumed_run_fails_as_the_origin_did(
    site: Site, production: FlowRun
) -> None:
    again = site.airflow("resume", production.run, "--code", "origin", "--wait").failed()
    assert again.error("end") == "builtins.AssertionError: broken"
    assert again.record.code == production.record.code


def test_where_the_api_server_cannot_read_the_store_tasks_find_themselves_taken_over(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    alone = Site(tmp_path, live_airflow_sqlite, (tmp_path / "store").as_uri())
    assert Deployments(alone.file.ledger.store).names() == []
    alone.edited("AcrossFlow", "AcrossAloneFlow")
    alone.file.flow = "AcrossAloneFlow"
    local = alone.file.run().failed()
    alone.broken(False)
    alone.airflow("create").succeeded()
    resumed = alone.airflow("resume", local.run, "--wait").succeeded()
    assert resumed.value("total") == 3
    assert alone.ran(resumed) == {"end"}
    dag_run_id = resumed.record.airflow["dag_run_id"]
    log = alone.api.task_log("AcrossAloneFlow", dag_run_id, "start")
    assert f"Taken over from AcrossAloneFlow/{local.run}/start/0; nothing is run." in log
    alone.airflow("delete").succeeded()
