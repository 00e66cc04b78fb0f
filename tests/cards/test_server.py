"""``card server``: cards of a run in a browser, live while a step runs, on this machine only."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.flow_runs import SECONDS, FlowFile
from tests.services.accessibility import accessibility_findings
from tests.services.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LIVE = """
import os, time
from airflow_mlflow_provider.cards import Markdown, ProgressBar, VegaChart

def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)

class LiveFlow(FlowSpec):
    @card(type="blank", id="live", refresh_interval=0.1)
    @card(type="blank", id="once", refresh_interval=3600)
    @step
    def start(self):
        bar = ProgressBar(max=3, label="Work")
        current.card["live"].append(bar, id="bar")
        current.card["once"].append(Markdown("first"), id="text")
        current.card["live"].refresh({"user": 1})
        current.card["once"].refresh()
        wait_for("second")
        for _ in range(1000):
            bar.update(2)
            current.card["live"].refresh()
        current.card["live"].append(VegaChart({"mark": "bar", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a"}}}))
        current.card["live"].refresh()
        current.card["once"].components["text"].update("second")
        current.card["once"].refresh()
        wait_for("third")
        bar.update(3)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_a_run_that_is_not_there_and_a_port_that_is_taken_are_told(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, LIVE)
    absent = flow.run("server", "--run-id", "nothing", command="card").failed()
    assert "There is no run LiveFlow/nothing" in absent.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = flow.run("server", "--port", str(port), command="card").failed()
    assert f"cannot listen on port {port}" in refused.stderr


@contextlib.contextmanager
def served(flow: FlowFile, *options: str) -> Iterator[str]:
    """`card server` on a free port; its address."""
    log = flow.folder / "server.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            flow.command("card", "server", "--port", "0", *options),
            cwd=flow.folder,
            env={**os.environ, "METAFLOW_USER": "tester", "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=out,
        )
    try:
        wait_until(
            lambda: "http://" in log.read_text() or process.poll() is not None,
            SECONDS,
            lambda: "the server's address",
        )
        text = log.read_text()
        assert "http://" in text, text
        yield text.split("http://")[1].split("/")[0]
    finally:
        process.terminate()
        process.wait(SECONDS)


@pytest.mark.browser
def test_a_card_moves_in_the_page_while_its_step_runs_and_the_step_never_waits_for_it(
    browser: Browser, tmp_path: Path
) -> None:
    flow = FlowFile(tmp_path, LIVE)
    with flow.start() as started, served(flow, "--poll-interval", "0.1") as address:
        with contextlib.closing(browser.new_context()) as context:
            page = context.new_page()
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            page.goto(f"http://{address}/")
            page.get_by_role("link", name="blank live").wait_for()
            assert accessibility_findings(page) == []
            page.get_by_role("link", name="blank live").click()
            bar = page.get_by_role("progressbar", name="Work")
            bar.wait_for()
            page.evaluate("window.unchanged = true")
            assert page.get_by_role("status").inner_text() == "running"
            (tmp_path / "second").touch()
            page.locator("[aria-valuenow='2']").wait_for()
            page.locator("figure.chart svg.marks").wait_for()
            (tmp_path / "third").touch()
            page.locator("[aria-valuenow='3']").wait_for()
            page.get_by_role("status").get_by_text("succeeded").wait_for()
            assert page.evaluate("window.unchanged") is True
            assert said == []
        started.ended().succeeded()


def test_a_state_that_comes_too_soon_waits_for_its_interval_and_the_last_one_is_always_stored(
    tmp_path: Path,
) -> None:
    flow = FlowFile(tmp_path, LIVE)
    with (
        flow.start() as started,
        served(flow) as address,
        httpx.Client(base_url=f"http://{address}") as client,
    ):

        def card(position: int) -> dict[str, object]:
            run = flow.ledger.latest(flow.flow)
            answer = client.get(f"/data/{run[0]}/start/0/0/{position}") if run else None
            found: dict[str, object] = (
                answer.json() if answer is not None and answer.status_code == 200 else {}
            )
            return found

        wait_until(lambda: card(0).get("data") is not None, SECONDS, lambda: "the live card")
        wait_until(lambda: bool(card(1)), SECONDS, lambda: "the other card")
        (tmp_path / "second").touch()
        wait_until(lambda: "chart" in str(card(0)), SECONDS, lambda: "the next state of the live card")
        seen = card(1)
        assert seen["status"] == "running"
        assert seen["components"] == [{"type": "markdown", "text": "first", "id": "text"}]
        assert card(0)["data"]["user"] == {"user": 1}  # type: ignore[index]
        (tmp_path / "third").touch()
        started.ended().succeeded()
        assert card(1)["components"] == [{"type": "markdown", "text": "second", "id": "text"}]
        assert card(1)["status"] == "succeeded"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FlowFile:
    """A flow that has run."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("second", "third"):
        (folder / name).touch()
    flow = FlowFile(folder, LIVE)
    flow.run().succeeded()
    return flow


def test_unchanged_cards_are_not_sent_again_and_what_is_not_there_is_said(finished: FlowFile) -> None:
    run = finished.ledger.latest(finished.flow)[0]
    with served(finished, "--run-id", run) as address, httpx.Client(base_url=f"http://{address}") as client:
        first = client.get(f"/data/{run}/start/0/0/0")
        again = client.get(f"/data/{run}/start/0/0/0", headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        for path in (
            "/nothing",
            f"/card/{run}/start/0/0/9",
            "/card/a/b/c/d/e",
            f"/data/{run}/start/..%2F..%2Fx/0/0",
        ):
            assert client.get(path).status_code == 404, path
        assert client.get("/viewer/vega.js").headers["content-type"].startswith("text/javascript")


def test_only_requests_that_name_this_machine_are_answered(finished: FlowFile) -> None:
    with served(finished) as address:
        port = address.rpartition(":")[2]
        assert httpx.get(f"http://{address}/", headers={"Host": f"evil.example:{port}"}).status_code == 403
        assert httpx.get(f"http://{address}/", headers={"Host": f"localhost:{port}"}).status_code == 200
