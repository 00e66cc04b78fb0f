"""Deploying into a real Airflow and following runs there through its REST API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.runs import wait_until_parsed
from airflow_mlflow_provider.exception import AirflowApiError
from airflow_mlflow_provider.plan.identity import airflow_run_id
from tests.flow_runs import FlowFile, FlowRun
from tests.services.airflow import PASSWORDS, LiveAirflow

pytestmark = pytest.mark.live

SOURCE = """
    class DeployedLive(FlowSpec):
        alpha = Parameter("alpha", default=1)
        text = Parameter("text", default="")

        @step
        def start(self):
            if self.alpha < 0:
                raise ValueError("too small")
            self.doubled = 2 * self.alpha
            self.next(self.end)

        @step
        def end(self):
            self.seen = self.text
"""


@pytest.fixture
def rest(live_airflow_sqlite: LiveAirflow) -> Iterator[AirflowRest]:
    client = AirflowRest(live_airflow_sqlite.base_url, user="admin", password=PASSWORDS["admin"])
    yield client
    client._client.close()


class Live:
    """A flow deployed into the live Airflow by its command line."""

    def __init__(self, folder: Path, airflow: LiveAirflow) -> None:
        self.flow = FlowFile(folder, SOURCE)
        self.variables = {
            "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true",
            "AIRFLOW__MLFLOW_PROVIDER__DAGS_FOLDER": str(airflow.dags_folder),
            "AIRFLOW__MLFLOW_PROVIDER__API_URL": airflow.base_url,
            "AIRFLOW__MLFLOW_PROVIDER__API_USER": "admin",
            "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": PASSWORDS["admin"],
        }

    def airflow(self, *arguments: str) -> FlowRun:
        """Run a command of the `airflow` group."""
        return self.flow.run(*arguments, command="airflow", environment=self.variables, seconds=300)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, live_airflow_sqlite: LiveAirflow) -> Iterator[Live]:
    deployed = Live(tmp_path_factory.mktemp("live"), live_airflow_sqlite)
    run = deployed.airflow("create").succeeded()
    assert "Airflow has parsed it" in run.stderr
    yield deployed
    deployed.airflow("delete").succeeded()
    assert not list(live_airflow_sqlite.dags_folder.glob("DeployedLive*"))


def test_a_run_is_triggered_waited_for_listed_and_told(live: Live, live_airflow_sqlite: LiveAirflow) -> None:
    text = '$5 `ls` "quoted"\nline {{ 7 * 7 }} 🙂'
    file = live.flow.folder / "run-id"
    run = live.airflow(
        "trigger", "--wait", "--unpause", "--alpha", "4", "--text", text, "--run-id-file", str(file)
    )
    run.succeeded()
    assert file.read_text("utf-8") == run.stdout.splitlines()[0] == run.run
    assert run.value("doubled") == 8
    assert run.value("seen") == text

    status = live.airflow("status", run.run, "--as-json", "--exit-code").succeeded()
    told = json.loads(status.stdout)
    assert told["state"] == "success"
    assert told["steps"]["start"] == {"success": 1}
    assert told["url"].startswith(live_airflow_sqlite.base_url)

    rows = json.loads(live.airflow("list-runs", "--succeeded", "--as-json").succeeded().stdout)
    assert [row for row in rows if row["run_id"] == run.run and row["status"] == "success"]


def test_a_run_that_fails_is_told_with_its_error_and_exit_code(live: Live) -> None:
    run = live.airflow("trigger", "--wait", "--unpause", "--alpha", "-1").failed(1)
    assert "ValueError: too small" in run.stdout
    assert "start" in run.stdout
    live.airflow("status", run.run, "--exit-code").failed(1)
    live.airflow("status", run.run).succeeded()


def test_a_name_that_is_no_parameter_is_refused_before_a_run_starts(live: Live) -> None:
    conf = live.flow.folder / "conf.json"
    conf.write_text('{"alhpa": 1}', "utf-8")
    before = live.flow.ledger.latest("DeployedLive", 10)
    run = live.airflow("trigger", "--conf-file", str(conf)).failed()
    assert "alhpa" in run.stderr
    assert "alpha" in run.stderr
    assert live.flow.ledger.latest("DeployedLive", 10) == before


def test_a_run_that_is_unknown_is_named(live: Live) -> None:
    assert "no-such-run" in live.airflow("status", "no-such-run").failed().stderr


def test_pause_and_unpause(live: Live, rest: AirflowRest) -> None:
    live.airflow("pause").succeeded()
    dag = rest.dag("DeployedLive")
    assert dag is not None
    assert dag["is_paused"] is True
    live.airflow("unpause").succeeded()
    dag = rest.dag("DeployedLive")
    assert dag is not None
    assert dag["is_paused"] is False


def test_a_terminated_run_ends_failed_in_airflow_and_terminated_in_the_store(
    live: Live, rest: AirflowRest
) -> None:
    rest.set_paused("DeployedLive", True)
    run_id = "manual__to_be_ended"
    rest.trigger("DeployedLive", run_id, {})
    run = airflow_run_id("DeployedLive", run_id)
    ended = live.airflow("terminate", run)
    assert "Terminated" in ended.succeeded().stdout
    dag_run = rest.dag_run("DeployedLive", run_id)
    assert dag_run is not None
    assert dag_run["state"] == "failed"
    rest.set_paused("DeployedLive", False)


def test_an_import_error_of_the_dag_file_is_reported_at_once(
    live_airflow_sqlite: LiveAirflow, rest: AirflowRest
) -> None:
    file = live_airflow_sqlite.dags_folder / "broken_on_purpose.py"
    file.write_text("from airflow.sdk import DAG\nraise ValueError('broken on purpose')\n", "utf-8")
    try:
        with pytest.raises(AirflowApiError, match="broken on purpose"):
            wait_until_parsed(rest, "broken_on_purpose", file.name, time.time() - 5, 60)
    finally:
        file.unlink()


def test_what_airflow_refuses_is_told_with_address_status_and_its_own_message(rest: AirflowRest) -> None:
    with pytest.raises(AirflowApiError, match="404") as caught:
        rest.trigger("no_such_dag", "r", {})
    assert caught.value.where["status"] == 404
    assert "no_such_dag" in str(caught.value.where["url"])
    assert "no_such_dag" in str(caught.value)
    assert rest.dag("no_such_dag") is None
    assert rest.delete_dag("no_such_dag") is False


def test_wrong_credentials_name_the_options_to_set(live_airflow_sqlite: LiveAirflow) -> None:
    for client in (
        AirflowRest(live_airflow_sqlite.base_url, user="admin", password="wrong"),
        AirflowRest(live_airflow_sqlite.base_url, token="not-a-token"),
        AirflowRest(live_airflow_sqlite.base_url),
    ):
        with pytest.raises(AirflowApiError) as caught:
            client.dag("any")
        assert "api_token" in caught.value.fix
        client._client.close()


def test_an_address_where_nobody_listens_is_named() -> None:
    client = AirflowRest("http://127.0.0.1:9", token="t")
    with pytest.raises(AirflowApiError, match=r"http://127\.0\.0\.1:9") as caught:
        client.dag("any")
    assert "api_url" in caught.value.fix
    assert isinstance(caught.value.__cause__, httpx.HTTPError)
    client._client.close()
