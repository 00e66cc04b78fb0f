"""The pictures of the views in the documentation, taken of the examples on a live Airflow.

`PICTURES=docs/images pytest tests/browser/test_documentation_pictures.py` makes them anew; without it they go to `build/screenshots`.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote

import pytest

from tests.browser.test_run_in_airflow_ui import EXAMPLE, flow
from tests.services.accessibility import accessibility_findings
from tests.services.airflow import LiveAirflow
from tests.services.browser import SCREENSHOTS, logged_in_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1800)]

REPORT = EXAMPLE.with_name("digits_report_flow.py")
FOLDER = Path(os.environ.get("PICTURES", SCREENSHOTS))
MOST_BYTES = 150_000
LOADED = 120_000


class Ran(NamedTuple):
    """The examples, run.

    Attributes:
        report: The last run of the example that makes cards.
        search: A run with a foreach in a foreach.
    """

    airflow: LiveAirflow
    report: str
    search: str


@pytest.fixture(scope="module")
def ran(live_airflow_sqlite: LiveAirflow) -> Ran:
    airflow, store = live_airflow_sqlite, Path(live_airflow_sqlite.store.removeprefix("file://"))
    for file in (REPORT, EXAMPLE, EXAMPLE.with_name("hello_flow.py")):
        flow(airflow, store, "airflow", "create", file=file)
    for rounds, units in (("4", "16"), ("8", "32"), ("12", "32")):
        values = ("--rounds", rounds, "--units", units)
        flow(airflow, store, "airflow", "trigger", "--wait", *values, file=REPORT)
    flow(airflow, store, "airflow", "trigger", "--wait", file=EXAMPLE)
    flow(airflow, store, "airflow", "trigger", "--wait", file=EXAMPLE.with_name("hello_flow.py"))
    return Ran(airflow, newest(airflow, "DigitsReportFlow"), newest(airflow, "DigitsSearchFlow"))


def newest(airflow: LiveAirflow, dag: str) -> str:
    runs = airflow.api.request("GET", f"/dags/{dag}/dagRuns?order_by=-run_after")["dag_runs"]
    return quote(str(runs[0]["dag_run_id"]), safe="")


def picture(page: Page, name: str) -> None:
    """Save what the page shows as a small WebP picture."""
    shot = page.context.new_cdp_session(page).send(
        "Page.captureScreenshot", {"format": "webp", "quality": 80}
    )
    data = base64.b64decode(shot["data"])
    assert len(data) < MOST_BYTES, f"{name} has {len(data)} bytes"
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.webp").write_bytes(data)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_in_airflows_own_page(
    browser: Browser, ran: Ran, scheme: Literal["light", "dark"]
) -> None:
    fold = f"/dags/DigitsSearchFlow/runs/{ran.search}"
    report = f"/dags/DigitsReportFlow/runs/{ran.report}"
    views = {
        "flows": ("/plugin/flows", "DigitsSearchFlow"),
        "flow": ("/dags/DigitsReportFlow/plugin/flow-overview", "Last runs"),
        "compare": ("/dags/DigitsReportFlow/plugin/flow-overview#show=compare", "Ran with"),
        "trend": (
            "/dags/DigitsReportFlow/plugin/flow-overview#show=trend&step=judge&name=accuracy",
            "The same as a table",
        ),
        "run": (f"{fold}/plugin/flow", "succeeded"),
        "task": (f"{fold}/tasks/score_fold/mapped/5/plugin/step", "accuracy"),
        "inputs": (f"{fold}/tasks/score_fold/mapped/5/plugin/step#show=inputs", "Made by"),
        "card": (f"{report}/tasks/judge/plugin/step#show=cards", "How well does it read?"),
    }
    with logged_in_page(browser, ran.airflow) as page:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": 1280, "height": 860})
        for name, (address, text) in views.items():
            page.goto("about:blank")
            page.goto(f"{ran.airflow.base_url}{address}")
            frame = page.frame_locator("iframe")
            frame.get_by_text(text).first.wait_for(timeout=LOADED)
            if name in ("flow", "trend", "card"):
                frame.locator("svg.marks").first.wait_for(timeout=LOADED)
            dark = page.evaluate("document.documentElement.classList.contains('dark')")
            assert dark == (scheme == "dark")
            picture(page, f"ui-{name}-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_with_charts_and_cards_are_accessible(
    browser: Browser, ran: Ran, scheme: Literal["light", "dark"]
) -> None:
    with logged_in_page(browser, ran.airflow) as page:
        page.emulate_media(color_scheme=scheme)
        for address in ("flow/DigitsReportFlow", f"task/DigitsReportFlow/{ran.report}/judge/-1#show=cards"):
            page.goto("about:blank")
            page.goto(f"{ran.airflow.base_url}/flows/view/{address}")
            page.locator("svg.marks").first.wait_for(timeout=LOADED)
            assert accessibility_findings(page) == []
