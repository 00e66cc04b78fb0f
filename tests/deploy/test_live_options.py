"""What a deployment may be told besides, on a live Airflow: whom to notify, whose code to run, which packages to lock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.plan.identity import airflow_run_id
from tests.deploy.live import deployed
from tests.flow_runs import FlowFile
from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until
from tests.services.web_hook import TOLD, WebHook, web_hook

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(600)]

CALLED_BACK_SECONDS = 90
BUNDLED = """
    class BundledLive(FlowSpec):
        @step
        def start(self):
            import bundled_words

            self.word, self.file = bundled_words.WORD, __file__
            self.next(self.end)

        @step
        def end(self):
            pass
"""
IN_DAGS_FOLDER = """
from airflow_mlflow_provider import FlowSpec, pypi, step
from airflow_mlflow_provider.dag import FlowDag


class LockedLive(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @pypi(packages={"docopt": "0.6.2"})
    @step
    def end(self):
        import docopt

        self.version = docopt.__version__


dag = FlowDag(LockedLive, store="STORE", name="locked_live", environment="pypi")
"""


@pytest.fixture
def hook(live_airflow_sqlite: LiveAirflow) -> Iterator[WebHook]:
    """A web hook, and the connection `told-live` of the live Airflow that leads to it."""
    api = live_airflow_sqlite.api
    with web_hook() as hook:
        connection = {"connection_id": "told-live", "conn_type": "http", "host": hook.address}
        api.request("POST", "/connections", json=connection)
        yield hook
        api.request("DELETE", "/connections/told-live")


def test_a_web_hook_is_told_of_each_end_by_the_dag_processor(
    live_airflow_sqlite: LiveAirflow, hook: WebHook, tmp_path: Path
) -> None:
    flow = FlowFile(tmp_path / "flow", TOLD)
    told = ("--notify-on-error", "told-live", "--notify-on-success", "told-live")
    deployed(flow, live_airflow_sqlite, "create", *told).succeeded()
    api = live_airflow_sqlite.api
    for fails, status in ((False, "succeeded"), (True, "failed")):
        hook.posted.clear()
        dag_run = api.trigger("Told", conf={"fails": fails})
        api.wait_for_run("Told", dag_run, timeout=120, expected="failed" if fails else "success")
        wait_until(lambda: bool(hook.posted), CALLED_BACK_SECONDS, "the web hook to be told")
        (message,) = hook.posted
        assert message["status"] == status
        assert message["pathspec"] == f"Told/{airflow_run_id('Told', dag_run)}"
        assert ("no data today" in message["text"]) is fails


def test_code_of_the_dag_bundle_runs_in_the_version_that_is_there(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    folder = live_airflow_sqlite.dags_folder / "bundled_live"
    flow = FlowFile(folder, BUNDLED, store=(tmp_path / "store").as_uri())
    # The flow's own file is no DAG file.
    (folder / ".airflowignore").write_text("*.py\n")
    try:
        (folder / "bundled_words.py").write_text("WORD = 'first'\n")
        deployed(flow, live_airflow_sqlite, "create", "--code", "bundle").succeeded()
        assert _word(flow, live_airflow_sqlite) == "first"
        (folder / "bundled_words.py").write_text("WORD = 'second'\n")
        assert _word(flow, live_airflow_sqlite) == "second", "no deployment is needed for other code"
    finally:
        shutil.rmtree(folder)


def _word(flow: FlowFile, airflow: LiveAirflow) -> Any:
    run = _run(airflow, "BundledLive", "BundledLive", flow.store)
    data = run.data
    assert data is not None
    assert Path(data.file) == flow.path
    return data.word


def test_packages_of_a_flow_in_the_dags_folder_are_locked_when_a_run_starts(
    live_airflow_sqlite: LiveAirflow, tmp_path: Path
) -> None:
    store = (tmp_path / "store").as_uri()
    text = IN_DAGS_FOLDER.replace("STORE", store)
    live_airflow_sqlite.add_dag("locked_live", text)
    run = _run(live_airflow_sqlite, "locked_live", "LockedLive", store)
    assert run.data is not None
    assert run.data.version == "0.6.2"
    info = run["end"].environment_info
    assert info is not None
    assert info["packages"]["docopt"] == "0.6.2"


def _run(airflow: LiveAirflow, dag_id: str, flow: str, store: str) -> Run:
    dag_run = airflow.api.trigger_and_wait(dag_id)
    return Run(f"{flow}/{airflow_run_id(dag_id, dag_run)}", _namespace_check=False, _store=store)
