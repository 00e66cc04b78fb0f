"""Cards in the tab of a task, inside Airflow's page: one that moves while its step runs, one with a page of its author's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deploy.live import deployed
from tests.flow_runs import FlowFile
from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.slow]

LOADED_MS = 60_000
DAG_ID = "CardsInTab"
SOURCE = """
    import os, time
    from airflow_mlflow_provider.cards import MetaflowCard, ProgressBar

    def wait_for(path):
        while not os.path.exists(path):
            time.sleep(0.05)

    class OwnPage(MetaflowCard):
        type = "own_page"

        def render(self, task):
            return '''<h1 id="drawn">still</h1><script>
                let seen = "a stranger to FLOW";
                try { seen = "of " + parent.document.title + document.cookie } catch (refused) {}
                document.getElementById("drawn").textContent = seen
                </script>'''.replace("FLOW", task.pathspec.partition("/")[0])

    CARDS = [OwnPage]

    class CardsInTab(FlowSpec):
        gates = Parameter("gates", default="")

        @card(type="blank", id="live", refresh_interval=0.1)
        @card(type="own_page")
        @step
        def start(self):
            bar = ProgressBar(max=3, label="Work")
            current.card["live"].append(bar, id="bar")
            current.card["live"].refresh()
            wait_for(self.gates + "/second")
            bar.update(2)
            current.card["live"].refresh()
            wait_for(self.gates + "/third")
            bar.update(3)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_card_moves_while_its_step_runs_and_a_page_of_its_author_is_shut_off(
    live_airflow_sqlite: LiveAirflow, browser_page: Page, tmp_path: Path
) -> None:
    airflow, page = live_airflow_sqlite, browser_page
    flow = FlowFile(tmp_path, SOURCE)
    deployed(flow, airflow, "create", top=("--datastore-root", airflow.store)).succeeded()
    airflow.api.wait_for_dag(DAG_ID)
    run_id = airflow.api.trigger(DAG_ID, {"gates": str(tmp_path)})
    wait_until(
        lambda: airflow.api.states(DAG_ID, run_id).get("start") == "running",
        120,
        lambda: f"the step to run\n{airflow.api.report(DAG_ID, run_id)}",
    )
    page.goto(f"{airflow.base_url}/dags/{DAG_ID}/runs/{run_id}/tasks/start/plugin/step#show=cards")
    tab = page.frame_locator("iframe")
    tab.get_by_role("progressbar", name="Work").wait_for(timeout=LOADED_MS)
    tab.locator("body").evaluate("() => { window.unchanged = true }")
    (tmp_path / "second").touch()
    tab.locator("[aria-valuenow='2']").wait_for(timeout=LOADED_MS)
    (tmp_path / "third").touch()
    tab.locator("[aria-valuenow='3']").wait_for(timeout=LOADED_MS)
    assert tab.locator("body").evaluate("() => window.unchanged") is True
    airflow.api.wait_for_run(DAG_ID, run_id)
    tab.get_by_role("button", name="own_page").click(timeout=LOADED_MS)
    own = tab.frame_locator("iframe.html-frame").locator("#drawn")
    own.get_by_text("a stranger to CardsInTab").wait_for(timeout=LOADED_MS)
