"""A Parameter and a Config, edited where people start runs in the Airflow UI, reach the step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.plan.identity import airflow_run_id
from tests.deploy.live import deployed
from tests.flow_runs import FlowFile
from tests.services.airflow import LiveAirflow
from tests.services.browser import screenshot
from tests.services.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAG_ID = "EditedInTheForm"
REMARK = '$5 "two" {{ 7 * 7 }} 🙂'
SOURCE = """
    class EditedInTheForm(FlowSpec):
        alpha = Parameter("alpha", default=1, help="How much of it")
        remark = Parameter("remark", default="none")
        colours = Parameter("colours", default="red,blue", separator=",")
        model = Config("model", default_value={"kind": "ridge", "depth": 1})

        @environment(vars={"MODEL_KIND": config_expr("model.kind")})
        @step
        def start(self):
            import os

            self.seen = (self.alpha, self.remark, list(self.colours), self.model.kind, self.model.depth)
            self.variable = os.environ["MODEL_KIND"]
            self.next(self.end)

        @step
        def end(self):
            self.depth = self.model.depth
"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.live
def test_a_parameter_and_a_config_edited_in_the_trigger_form_reach_the_step(
    live_airflow_sqlite: LiveAirflow, browser_page: Page, tmp_path: Path
) -> None:
    airflow = live_airflow_sqlite
    flow = FlowFile(tmp_path, SOURCE)
    deployed(flow, airflow, "create", "--editable-config", "model").succeeded()

    browser_page.goto(f"/dags/{DAG_ID}")
    browser_page.get_by_role("button", name="Trigger").first.click()
    browser_page.get_by_text("How much of it").wait_for()
    browser_page.locator("input[name=element_alpha]").fill("7")
    browser_page.locator("#element_remark").fill(REMARK)
    browser_page.locator("#element_colours").fill('["red", "green"]')
    # An editor of code, which takes keys and what is pasted, and no assignments.
    model = browser_page.locator("#element_model")
    model.locator(".view-lines").click()
    browser_page.keyboard.press("Control+A")
    browser_page.keyboard.insert_text('{"kind": "lasso", "depth": 3}')
    # The editor has closed brackets and quotes by itself.
    browser_page.keyboard.press("Control+Shift+End")
    browser_page.keyboard.press("Delete")
    model.get_by_text("lasso").wait_for()
    screenshot(browser_page, "trigger-form")
    browser_page.get_by_role("dialog").get_by_role("button", name="Trigger").click()

    wait_until(lambda: airflow.api.request("GET", f"/dags/{DAG_ID}/dagRuns")["dag_runs"], 60, "the run")
    (run,) = airflow.api.request("GET", f"/dags/{DAG_ID}/dagRuns")["dag_runs"]
    airflow.api.wait_for_run(DAG_ID, run["dag_run_id"])
    found = Run(
        f"{DAG_ID}/{airflow_run_id(DAG_ID, run['dag_run_id'])}", _namespace_check=False, _store=flow.store
    )
    start = found["start"].task
    assert start is not None
    assert start.data.seen == (7, REMARK, ["red", "green"], "lasso", 3)
    assert start.data.variable == "lasso"
    assert found.data is not None
    assert found.data.depth == 3
    assert found.data.model == {"kind": "lasso", "depth": 3}
