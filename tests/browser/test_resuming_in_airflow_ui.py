"""Resuming as people do it in the Airflow UI: by clearing a task, and by the button of the run's tab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest

from tests.plugins.resuming.failed import FailedRun, failed_run
from tests.services.browser import screenshot
from tests.services.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.services.airflow import LiveAirflow

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1200)]

SECONDS = 120_000


@pytest.fixture(scope="module")
def failed(live_airflow_sqlite: LiveAirflow, tmp_path_factory: pytest.TempPathFactory) -> FailedRun:
    """A run that has failed in a split, in a branch and behind a switch, and would not fail again."""
    return failed_run(live_airflow_sqlite, "resume_ui", tmp_path_factory.mktemp("resume") / "fails")


def run_path(failed: FailedRun, dag_run_id: str) -> str:
    """Address of a run's page."""
    return f"/dags/{failed.manifest.dag_id}/runs/{quote(dag_run_id, safe='')}"


def started_from_tab(page: Page, until: str = "") -> str:
    """Resume the run whose tab is open; the id of the new DAG run."""
    tab = page.frame_locator("iframe")
    tab.get_by_role("button", name="Resume …").click()
    tab.get_by_label("Stop after").select_option(until)
    tab.get_by_text("body/0001, which failed").first.wait_for()
    screenshot(page, f"resume-what-and-why{until}")
    tab.get_by_role("button", name="Start the resumed run").click()
    tab.get_by_text("Started the DAG run").wait_for()
    return tab.get_by_label("Resume this run").get_by_role("status").locator("code").text_content() or ""


def test_the_button_of_the_tab_starts_a_run_whose_finished_steps_are_shown_at_once(
    browser_page: Page, failed: FailedRun
) -> None:
    browser_page.set_default_timeout(SECONDS)
    # From the page of the task that failed: its link leads to the tab, and the tab resumes.
    browser_page.goto(f"{run_path(failed, failed.dag_run_id)}/tasks/left/details")
    link = browser_page.get_by_role("link", name="Resume", exact=True)
    address = link.get_attribute("href")
    assert address == f"{run_path(failed, failed.dag_run_id)}/plugin/flow"
    browser_page.goto(address)
    dag_run_id = started_from_tab(browser_page)
    browser_page.frame_locator("iframe").get_by_role("button", name="Open it").click()
    browser_page.wait_for_url(lambda url: dag_run_id in unquote(url))

    browser_page.goto(f"{run_path(failed, dag_run_id)}/tasks/body/mapped/0/details")
    browser_page.get_by_text(f"Taken over from ThreeFailuresFlow/{failed.run}/body/0000").first.wait_for()
    browser_page.get_by_text("Success", exact=True).first.wait_for()
    origin = browser_page.get_by_role("link", name="Origin run", exact=True)
    assert origin.get_attribute("href") == f"{run_path(failed, failed.dag_run_id)}/tasks/body/mapped/0"
    screenshot(browser_page, "resume-taken-over")
    assert failed.finished(dag_run_id).artifact("end", "values") == [1, 11, 21]
    browser_page.goto(run_path(failed, dag_run_id))
    browser_page.get_by_text(re.compile(f"Resumes ThreeFailuresFlow/{failed.run}")).first.wait_for()
    screenshot(browser_page, "resume-run")


def test_the_tab_starts_a_run_that_stops_after_a_step(browser_page: Page, failed: FailedRun) -> None:
    browser_page.set_default_timeout(SECONDS)
    browser_page.goto(f"{run_path(failed, failed.dag_run_id)}/plugin/flow")
    stopped = failed.finished(started_from_tab(browser_page, until="polish"))
    assert stopped.status == "terminated"
    assert (stopped.tasks("polish"), stopped.tasks("gather")) == (["0000", "0001", "0002"], [])


def test_clearing_the_tasks_that_failed_goes_on_in_the_same_run(
    browser_page: Page, failed: FailedRun
) -> None:
    browser_page.set_default_timeout(SECONDS)
    found = failed.records
    assert found.attempts("left", "0") == [0]
    browser_page.goto(run_path(failed, failed.dag_run_id))
    # Its name is that of its short cut.
    browser_page.get_by_role("button", name="Press shift+c to clear").first.click()
    browser_page.get_by_text("Clear only failed tasks").click()
    screenshot(browser_page, "resume-clear")
    browser_page.get_by_role("button", name="Confirm").click()
    wait_until(
        lambda: found.attempts("left", "0") == [0, 1], 120, lambda: "the cleared task to be tried again"
    )
    ended = failed.finished(failed.dag_run_id)
    assert ended.artifact("end", "values") == [1, 11, 21]
    # New attempts of what had failed, on the same inputs; nothing else ran again.
    assert [ended.attempts("body", task) for task in ("0000", "0001", "0002")] == [[0], [0, 1], [0]]
    assert ended.attempts("spread", "0") == [0]
