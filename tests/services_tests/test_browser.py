import re
from typing import TYPE_CHECKING

import pytest

from tests.services.airflow import PASSWORDS, LiveAirflow
from tests.services.browser import logged_in_page, screenshot
from tests.services_tests.test_airflow import CHAIN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.live, pytest.mark.browser]


def test_the_grid_shows_a_finished_run(browser_page: "Page", live_airflow_sqlite: LiveAirflow) -> None:
    airflow = live_airflow_sqlite
    airflow.add_dag("looked_at", CHAIN.format(name="looked_at"))
    run_id = airflow.api.trigger_and_wait("looked_at")

    browser_page.goto(f"/dags/looked_at/runs/{run_id}")

    for task in ("numbers", "double", "total"):
        browser_page.get_by_text(re.compile(rf"^{task}\b")).first.wait_for()
    picture = screenshot(browser_page, "looked-at")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_person_logs_in_with_name_and_password(
    browser: "Browser", live_airflow_sqlite: LiveAirflow
) -> None:
    context = browser.new_context(base_url=live_airflow_sqlite.base_url)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password").fill(PASSWORDS["viewer"])
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("link", name="Dags").first.wait_for()
    context.close()


@pytest.mark.slow
def test_pages_of_two_users_do_not_share_a_login(
    browser: "Browser", live_airflow_sqlite: LiveAirflow
) -> None:
    with (
        logged_in_page(browser, live_airflow_sqlite, "admin") as admin,
        logged_in_page(browser, live_airflow_sqlite, "viewer") as viewer,
    ):
        answers = [page.request.get("/api/v2/connections").status for page in (admin, viewer)]

    assert answers == [200, 403]
