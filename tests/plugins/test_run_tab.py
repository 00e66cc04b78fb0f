"""The tab of a DAG run in a real browser, on runs that were written for it: every part is shown, reachable, safe and quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest

from tests.cards.attacks import ATTACKS, left_over
from tests.plugins.made_run import MadeRun
from tests.services.accessibility import accessibility_findings
from tests.services.airflow import LiveAirflow
from tests.services.browser import logged_in_page, screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

pytestmark = [pytest.mark.live, pytest.mark.browser]

# Each part of the tab, by its state in the address, with something to wait for.
PARTS = {
    "": ".tasks",
    "step=start&task=0&show=artifacts": ".preview",
    "step=start&task=0&show=cards": "article.card",
    "step=start&task=0&show=logs": ".log-line",
    "step=start&task=0&show=environment": ".facts",
    "step=body&task=0001": ".task-error",
    "tab=cards": "article.card",
    "tab=parameters": ".tab-panel table",
    "tab=code": ".note",
    "tab=about": ".facts",
}
# Notes when the states of the steps are in the page, as asking for them again and again comes late.
SHOWN_AT = """new MutationObserver(() => {
    if (!window.shownAt && document.body?.textContent.includes("1,000 tasks")) window.shownAt = performance.now();
}).observe(document, { subtree: true, childList: true, characterData: true })"""
ANSWERS = """() => performance.getEntriesByType("resource").map((one) => [one.name, one.decodedBodySize])"""


@pytest.fixture(scope="module")
def made(live_airflow_sqlite: LiveAirflow) -> Callable[[MadeRun], str]:
    """Writes a run, once, and gives the address of its page."""
    written: dict[str, str] = {}

    def write(run: MadeRun) -> str:
        if run.dag_id not in written:
            written[run.dag_id] = run.write(live_airflow_sqlite.store)
        return f"{live_airflow_sqlite.base_url}/flows/{written[run.dag_id]}"

    return write


@pytest.fixture
def said(browser_page: Page) -> list[str]:
    """What the browser complains of, among it everything that the page's policy refused."""
    lines: list[str] = []
    browser_page.on(
        "console", lambda line: lines.append(line.text) if line.type in ("error", "warning") else None
    )
    browser_page.on("pageerror", lambda error: lines.append(str(error)))

    def refuse(dialog: Dialog) -> None:
        lines.append("a dialog")
        dialog.dismiss()

    browser_page.on("dialog", refuse)
    return lines


def show(page: Page, address: str, state: str = "", theme: str = "light") -> None:
    """Open a part of the tab and wait for it."""
    page.goto(f"{address}?theme={theme}#{state}")
    page.reload()  # an address that differs behind the # only loads nothing
    page.locator(PARTS.get(state, "h1")).first.wait_for(timeout=60_000)


def small(dag_id: str) -> MadeRun:
    return MadeRun(dag_id, 3, failed=(1,))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_part_is_accessible_in_light_and_dark(
    browser_page: Page, said: list[str], made: Callable[[MadeRun], str], theme: Literal["light", "dark"]
) -> None:
    address = made(small("AccessibleFlow"))
    for state in PARTS:
        show(browser_page, address, state, theme)
        assert browser_page.locator("html").get_attribute("data-theme") == theme
        assert accessibility_findings(browser_page) == [], state
    assert said == []


def test_nothing_that_a_user_wrote_runs_in_any_part(
    browser_page: Page, said: list[str], made: Callable[[MadeRun], str]
) -> None:
    text = "".join(ATTACKS)
    run = MadeRun("AttackedFlow", len(ATTACKS), failed=(1,), text=text, label=lambda index: ATTACKS[index])
    address = made(run)
    for state in PARTS:
        show(browser_page, address, state)
        browser_page.wait_for_load_state("networkidle")
        assert browser_page.evaluate("window.hit") is None, state
        assert left_over(browser_page, "#page") == [], state
    # What is cleaned is parsed under the page's policy, which refuses it once more and says so.
    assert [line for line in said if "Content Security Policy" not in line] == []


def test_the_address_of_what_is_seen_shows_it_again_and_the_keyboard_gets_there(
    browser_page: Page, made: Callable[[MadeRun], str]
) -> None:
    show(browser_page, made(small("AccessibleFlow")))
    step = browser_page.get_by_role("button", name="start, split-foreach")
    step.focus()
    browser_page.keyboard.press("Enter")
    task = browser_page.get_by_role("button", name="0", exact=True)
    task.focus()
    browser_page.keyboard.press("Enter")
    browser_page.get_by_role(
        "tab", name="Cards", selected=True
    ).last.focus()  # a task that has cards begins with them
    browser_page.keyboard.press("ArrowLeft")
    browser_page.locator(".preview").first.wait_for()
    browser_page.keyboard.press("ArrowRight")
    browser_page.locator("article.card").wait_for()
    seen = browser_page.url
    assert "step=start&task=0" in seen
    browser_page.goto("about:blank")
    browser_page.goto(seen)
    browser_page.locator("article.card").wait_for()
    browser_page.go_back()
    browser_page.goto(seen)
    browser_page.get_by_role("button", name="Tasks of start").click()
    browser_page.locator(".tasks").wait_for()
    browser_page.go_back()
    browser_page.locator("article.card").wait_for()


def test_tags_are_edited_by_who_may_and_only_shown_to_who_may_not(
    browser_page: Page, browser: Browser, live_airflow_sqlite: LiveAirflow, made: Callable[[MadeRun], str]
) -> None:
    address = made(small("TaggedFlow"))
    show(browser_page, address)
    browser_page.get_by_role("button", name="+ Add a tag").click()
    browser_page.keyboard.type("reviewed")
    browser_page.keyboard.press("Enter")
    browser_page.get_by_role("button", name="Remove the tag reviewed").wait_for()
    browser_page.get_by_role("button", name="Remove the tag text").click()
    browser_page.get_by_role("button", name="Remove the tag text").wait_for(state="detached")
    with logged_in_page(browser, live_airflow_sqlite, "viewer") as page:
        show(page, address)
        page.locator(".tag", has_text="reviewed").wait_for()
        assert page.get_by_role("button", name="Add a tag").count() == 0
        assert page.get_by_role("button", name="Resume").count() == 0


@pytest.mark.slow
def test_ten_thousand_splits_stay_a_page_and_are_found_by_value(
    browser_page: Page, made: Callable[[MadeRun], str]
) -> None:
    address = made(MadeRun("TenThousandFlow", 10_000, failed=(9_876,)))
    show(browser_page, address)
    browser_page.get_by_text("10,000 tasks").first.wait_for()
    rows = browser_page.locator(".tasks tbody tr")
    assert rows.count() == 50
    assert "9876" in (rows.first.text_content() or "")
    browser_page.get_by_role("searchbox").fill("value 1234")
    browser_page.get_by_text("1 task", exact=True).wait_for()
    assert "1234" in (rows.first.text_content() or "")
    browser_page.get_by_role("searchbox").fill("")
    browser_page.get_by_role("button", name="9,999 succeeded").click()
    browser_page.get_by_text("9,999 tasks").wait_for()
    browser_page.get_by_role("button", name="Show more").click()
    rows.nth(99).wait_for()
    assert rows.count() == 100
    screenshot(browser_page, "run-ten-thousand")


@pytest.mark.slow
def test_a_run_of_a_thousand_tasks_is_painted_within_a_second_by_few_small_answers(
    browser_page: Page, made: Callable[[MadeRun], str]
) -> None:
    address = made(MadeRun("ThousandFlow", 1_000, failed=(7,)))
    browser_page.add_init_script(SHOWN_AT)
    seconds = []
    for _ in range(3):
        browser_page.goto("about:blank")
        browser_page.goto(address)
        browser_page.locator(".graph-label", has_text="1,000 tasks").wait_for()
        seconds.append(browser_page.evaluate("window.shownAt") / 1000)
        browser_page.wait_for_load_state("networkidle")
        answers = browser_page.evaluate(ANSWERS)
        assert 0 < len(answers) <= 8, answers
        assert sum(size for url, size in answers if "/static/" not in url) < 100_000
    # The best of three: what else the machine does is not the page's.
    assert min(seconds) < 1.0, seconds
