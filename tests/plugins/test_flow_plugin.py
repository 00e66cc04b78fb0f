"""The tab of a DAG run, on a live Airflow: who may see it, what it shows, and resuming by a click."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from tests.services.airflow import PASSWORDS, LiveAirflow
from tests.services.browser import logged_in_page, screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.live]

BROKEN = """
from airflow_mlflow_provider import FlowSpec, Parameter, step


class BrokenFlow(FlowSpec):
    limit = Parameter("limit", default=2)

    @step
    def start(self):
        self.items = [1, 2, 3]
        self.remark = "<img src=x onerror=document.title='stolen'>"
        self.next(self.body, foreach="items")

    @step
    def body(self):
        if self.input == self.limit:
            raise ValueError("<b>two</b>")
        self.value = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [one.value for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    BrokenFlow()
"""


class FailedRun(NamedTuple):
    """A run of the flow above that failed in its second split, in an Airflow of its own."""

    airflow: LiveAirflow
    dag_run_id: str
    file: Path
    environment: dict[str, str]
    clients: dict[str | None, httpx.Client]

    @property
    def path(self) -> str:
        """Path of the run's routes."""
        return f"BrokenFlow/{self.dag_run_id}"


@pytest.fixture(scope="module")
def failed_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailedRun]:
    folder = tmp_path_factory.mktemp("plugin")
    file = folder / "broken_flow.py"
    file.write_text(BROKEN)
    store = {
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": str(folder / "store"),
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true",
    }
    with LiveAirflow(environment=store) as airflow:
        environment = {
            **os.environ,
            **store,
            "METAFLOW_USER": "plugin",
            "AIRFLOW__MLFLOW_PROVIDER__API_URL": airflow.base_url,
            "AIRFLOW__MLFLOW_PROVIDER__API_USER": "admin",
            "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": PASSWORDS["admin"],
            "AIRFLOW__MLFLOW_PROVIDER__DAGS_FOLDER": str(airflow.dags_folder),
        }
        for arguments, expected in ((["create"], 0), (["trigger", "--wait"], 1)):
            ended = subprocess.run(
                [sys.executable, str(file), "airflow", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=240,
            )
            assert ended.returncode == expected, ended.stdout + ended.stderr
        (run,) = airflow.api.request("GET", "/dags/BrokenFlow/dagRuns")["dag_runs"]
        with (
            httpx.Client() as nobody,
            airflow.login("viewer").client as viewer,
            airflow.login("admin").client as admin,
        ):
            clients = {None: nobody, "viewer": viewer, "admin": admin}
            yield FailedRun(airflow, run["dag_run_id"], file, environment, clients)


def answer(run: FailedRun, user: str | None, method: str, path: str) -> httpx.Response:
    """What a route answers to a user, or to nobody."""
    return run.clients[user].request(method, f"{run.airflow.base_url}/flows/{path}")


@pytest.mark.parametrize(
    ("user", "method", "path", "status"),
    [
        (None, "GET", "api/{run}", 401),
        (None, "GET", "view/{run}", 401),
        (None, "GET", "static/run.js", 401),
        (None, "GET", "api/{run}/steps/body", 401),
        (None, "GET", "api/{run}/steps/start/0", 401),
        (None, "GET", "api/{run}/resume", 401),
        (None, "POST", "api/{run}/resume", 401),
        ("viewer", "GET", "view/{run}", 200),
        ("viewer", "GET", "api/{run}", 200),
        ("viewer", "GET", "api/{run}/steps/body", 200),
        ("viewer", "GET", "api/{run}/resume", 200),
        ("viewer", "POST", "api/{run}/resume", 403),
        ("admin", "GET", "api/NoSuchDag/x", 404),
        ("admin", "GET", "static/../api.py", 404),
        ("admin", "GET", "openapi.json", 404),
    ],
)
def test_every_route_asks_airflow_who_may_use_it(
    failed_run: FailedRun, user: str | None, method: str, path: str, status: int
) -> None:
    assert answer(failed_run, user, method, path.format(run=failed_run.path)).status_code == status


def test_the_routes_tell_what_the_records_say(failed_run: FailedRun) -> None:
    run = answer(failed_run, "admin", "GET", f"api/{failed_run.path}").json()
    assert run["status"] == "failed"
    assert "two" in run["reason"]
    assert [step["step"] for step in run["steps"]] == ["start", "body", "join", "end"]
    assert run["may_resume"]
    tasks = answer(failed_run, "admin", "GET", f"api/{failed_run.path}/steps/body").json()["tasks"]
    assert {task["task"]: task["status"] for task in tasks} == {
        "0000": "succeeded",
        "0001": "failed",
        "0002": "succeeded",
    }
    assert tasks[1]["error"] == "<b>two</b>"
    artifacts = answer(failed_run, "admin", "GET", f"api/{failed_run.path}/steps/body/0000").json()
    assert {artifact["name"] for artifact in artifacts} >= {"items", "value", "limit"}
    preview = answer(failed_run, "admin", "GET", f"api/{failed_run.path}/resume").json()
    assert preview == {"taken_over": {"start": 1, "body": 2}, "runs": {"body/0001": "failed"}}


def test_a_viewer_is_not_offered_to_resume(failed_run: FailedRun) -> None:
    assert not answer(failed_run, "viewer", "GET", f"api/{failed_run.path}").json()["may_resume"]


@pytest.mark.browser
def test_the_tab_shows_the_run_as_text_and_resumes_it_by_a_click(
    failed_run: FailedRun, browser: Browser
) -> None:
    failed_run.file.write_text(BROKEN.replace("if self.input == self.limit:", "if False:"))
    subprocess.run(
        [sys.executable, str(failed_run.file), "airflow", "create"],
        env=failed_run.environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    airflow = failed_run.airflow
    with logged_in_page(browser, airflow) as page:
        page.goto(f"{airflow.base_url}/dags/BrokenFlow/runs/{failed_run.dag_run_id}/plugin/flow")
        tab = page.frame_locator("iframe")
        tab.get_by_text("BrokenFlow/", exact=False).first.wait_for(timeout=60_000)
        tab.get_by_text("start · 1 task").click()
        tab.get_by_text("0 · succeeded", exact=False).click()
        tab.get_by_role("cell", name="remark").wait_for()
        tab.get_by_text("<img src=x", exact=False).wait_for()
        screenshot(page, "flow-tab")
        tab.get_by_role("button", name="Resume …").click()
        tab.get_by_role("button", name="Start the resumed run").click()
        tab.get_by_text("Started the DAG run").wait_for(timeout=60_000)
        assert page.title() != "stolen"
    runs = airflow.api.request("GET", "/dags/BrokenFlow/dagRuns")["dag_runs"]
    (resumed,) = (run["dag_run_id"] for run in runs if run["dag_run_id"] != failed_run.dag_run_id)
    airflow.api.wait_for_run("BrokenFlow", resumed)
    view = answer(failed_run, "admin", "GET", f"api/BrokenFlow/{resumed}").json()
    assert view["status"] == "succeeded"
    assert {step["step"]: step["taken_over"] for step in view["steps"]} == {
        "start": 1,
        "body": 2,
        "join": 0,
        "end": 0,
    }
