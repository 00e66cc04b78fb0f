"""The tab of a task instance, that of a DAG and the page of all flows, in a browser on a live Airflow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.plugins.conftest import FailedRun
from tests.services.accessibility import accessibility_findings
from tests.services.browser import logged_in_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

pytestmark = [pytest.mark.live, pytest.mark.browser]

LOADED = 60_000


@pytest.fixture
def page(failed_run: FailedRun, browser: Browser) -> Iterator[Page]:
    """A page whose user may see everything, which notes what goes wrong in it."""
    with watched(failed_run, browser) as watched_page:
        yield watched_page


@contextlib.contextmanager
def watched(run: FailedRun, browser: Browser) -> Iterator[Page]:
    said: list[str] = []
    with logged_in_page(browser, run.airflow) as found:
        found.on("pageerror", lambda error: said.append(str(error)))
        found.on("console", lambda message: said.extend(_broken_policy(message.text)))
        yield found
    assert said == []


def _broken_policy(text: str) -> list[str]:
    return [text] if "Content Security Policy" in text else []


def tab(page: Page, run: FailedRun, path: str) -> FrameLocator:
    """The frame of a view in Airflow's own page."""
    page.goto(f"{run.airflow.base_url}{path}")
    return page.frame_locator("iframe")


def test_the_tab_of_a_task_instance_tells_its_split_its_error_and_its_inputs(
    failed_run: FailedRun, page: Page
) -> None:
    run = failed_run.dag_run_id
    step = tab(page, failed_run, f"/dags/BrokenFlow/runs/{run}/tasks/body/mapped/1/plugin/step")
    step.get_by_role("heading", name="body/0001").wait_for(timeout=LOADED)
    step.get_by_text("items[1]").wait_for()
    step.get_by_text("<b>two</b>").first.wait_for()
    step.get_by_text(f"{failed_run.file.name} --datastore-root").wait_for()
    step.get_by_role("tab", name="Inputs").click()
    row = step.get_by_role("row").filter(has=step.get_by_role("rowheader", name="limit"))
    row.get_by_text("given to the run").wait_for()
    assert "show=inputs" in page.url, "the address of the page around it says what is seen"
    step.get_by_role("row").filter(has=step.get_by_role("rowheader", name="items")).get_by_role(
        "link"
    ).click()
    page.wait_for_url("**/runs/*/tasks/start/plugin/step*", timeout=LOADED)
    page.frame_locator("iframe").get_by_role("heading", name="start/0").wait_for(timeout=LOADED)


def test_the_tab_of_a_dag_shows_the_flow_and_puts_runs_side_by_side(
    failed_run: FailedRun, page: Page
) -> None:
    flow = tab(page, failed_run, "/dags/BrokenFlow/plugin/flow-overview")
    flow.get_by_role("group", name="Graph of the flow").wait_for(timeout=LOADED)
    flow.get_by_role("tab", name="Runs").click()
    flow.get_by_role("checkbox", name=f"Compare {failed_run.dag_run_id}").check()
    assert flow.get_by_role("button", name="Compare runs").is_disabled()
    page.keyboard.press("Tab")
    flow.get_by_role("tab", name="Runs").press("ArrowRight")
    compared = flow.get_by_role("group", name="Runs side by side")
    compared.get_by_role("rowheader", name="limit").wait_for()
    assert compared.get_by_role("columnheader").filter(has_text=failed_run.dag_run_id).count() == 1
    flow.get_by_role("tab", name="Trends").click()
    flow.get_by_role("combobox", name="Number").select_option("body value")
    flow.locator("figure.chart svg.marks").wait_for(timeout=LOADED)
    flow.get_by_role("tab", name="Cache").click()
    flow.get_by_text("No step of the flow has @cache").wait_for()


def test_a_search_has_an_address_and_leads_to_the_run(failed_run: FailedRun, page: Page) -> None:
    flows = tab(page, failed_run, "/plugin/flows")
    flows.get_by_role("link", name="BrokenFlow", exact=True).wait_for(timeout=LOADED)
    flows.get_by_role("combobox", name="Search by").select_option("artifact")
    flows.get_by_role("searchbox", name="Search:").fill("remark")
    flows.get_by_role("searchbox", name="Search:").press("Enter")
    link = flows.get_by_role("link", name="/start/0/remark").first
    link.wait_for(timeout=LOADED)
    address = page.url
    assert "find=remark" in address
    page.goto("about:blank")
    page.goto(address)
    link.wait_for(timeout=LOADED)
    link.click()
    page.wait_for_url("**/dags/BrokenFlow/runs/*/plugin/flow*", timeout=LOADED)
    assert page.title() != "stolen"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_views_are_accessible(
    failed_run: FailedRun, page: Page, scheme: Literal["light", "dark"]
) -> None:
    run, seen = failed_run.dag_run_id, dict[str, Any]()
    page.emulate_media(color_scheme=scheme)
    for address, text in (
        (f"task/BrokenFlow/{run}/body/1", "body/0001"),
        (f"task/BrokenFlow/{run}/start/-1#show=inputs", "given to the run"),
        (f"task/BrokenFlow/{run}/start/-1#show=environment", "Code package"),
        ("flow/BrokenFlow", "Last runs"),
        ("flow/BrokenFlow#show=runs", "limit=2"),
        ("flow/BrokenFlow#show=compare", "Ran with"),
        ("flow/BrokenFlow#show=trend&step=body&name=value", "The same as a table"),
        ("flows", "BrokenFlow"),
        ("flows#find=remark&by=artifact", "/start/0/remark"),
    ):
        page.goto("about:blank")
        page.goto(f"{failed_run.airflow.base_url}/flows/view/{address}")
        page.get_by_text(text).first.wait_for(timeout=LOADED)
        seen[address] = accessibility_findings(page)
    assert {address: found for address, found in seen.items() if found} == {}
