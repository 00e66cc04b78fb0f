"""Custom types of cards while their step runs: when the page is loaded anew, and what its script is told."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cards.test_server import served
from tests.flow_runs import FlowFile

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SOURCE = """
import os, time
from airflow_mlflow_provider.cards import MetaflowCard

PAGE = '''<p id="told">nothing yet</p><p>token TOKEN</p>
<script>window.metaflow_card_update = (data) => { document.getElementById("told").textContent = "told " + data.count }</script>'''

class MovingCard(MetaflowCard):
    type = "moving"
    RUNTIME_UPDATABLE = True
    RELOAD_POLICY = MetaflowCard.RELOAD_POLICY_ONCHANGE

    def render(self, task):
        return f"<p>finished {task.data.x}</p>"

    def render_runtime(self, task, data):
        return PAGE.replace("TOKEN", data["user"]["token"])

    def refresh(self, task, data):
        return {"count": data["user"]["count"]}

    def reload_content_token(self, task, data):
        return data["user"]["token"]

CARDS = [MovingCard]

def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)

class MovingFlow(FlowSpec):
    @card(type="moving", id="m", refresh_interval=0.1)
    @step
    def start(self):
        self.x = 3
        for count, (token, name) in enumerate([("a", "second"), ("a", "third"), ("b", "fourth")]):
            current.card["m"].refresh({"token": token, "count": count})
            wait_for(name)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.mark.browser
def test_a_page_is_told_of_updates_and_loaded_anew_when_its_token_changes(
    browser: Browser, tmp_path: Path
) -> None:
    flow = FlowFile(tmp_path, SOURCE)
    with flow.start() as started, served(flow, "--poll-interval", "0.1") as address:
        with contextlib.closing(browser.new_context()) as context:
            page = context.new_page()
            page.goto(f"http://{address}/")
            page.get_by_role("link", name="moving m").click()
            frame = page.frame_locator("iframe")
            frame.get_by_text("told 0").wait_for()
            (tmp_path / "second").touch()
            frame.get_by_text("told 1").wait_for()
            assert frame.get_by_text("token a").count() == 1
            (tmp_path / "third").touch()
            frame.get_by_text("token b").wait_for()
            frame.get_by_text("told 2").wait_for()
            (tmp_path / "fourth").touch()
            frame.get_by_text("finished 3").wait_for()
        started.ended().succeeded()
