"""The JSON API and the tab of a DAG run, on a live Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.conftest import FailedRun
from tests.services.browser import logged_in_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.live]


def test_the_routes_tell_what_the_records_say(failed_run: FailedRun) -> None:
    run = failed_run.ask("admin", failed_run.path).json()
    assert run["status"] == "failed"
    assert "two" in run["reason"]
    assert [step["name"] for step in run["steps"]] == ["start", "body", "join", "end"]
    assert run["may_resume"]
    progress = failed_run.ask("admin", f"{failed_run.path}/progress").json()
    assert {step["name"]: step["counts"] for step in progress["steps"]} == {
        "start": {"succeeded": 1},
        "body": {"succeeded": 2, "failed": 1},
    }
    tasks = failed_run.ask("admin", f"{failed_run.path}/steps/body/tasks").json()["tasks"]
    assert [(task["task"], task["state"]) for task in tasks] == [
        ("0001", "failed"),
        ("0000", "succeeded"),
        ("0002", "succeeded"),
    ]
    assert tasks[0]["error"] == "<b>two</b>"
    artifacts = failed_run.ask("admin", f"{failed_run.path}/steps/body/tasks/0000/artifacts").json()
    assert {one["name"]: one["is_new"] for one in artifacts["artifacts"]} == {
        "items": False,
        "limit": False,
        "remark": False,
        "value": True,
    }


def test_a_page_of_tasks_goes_on_where_the_last_one_ended(failed_run: FailedRun) -> None:
    found, cursor = [], ""
    for _ in range(3):
        page = failed_run.ask(
            "admin", f"{failed_run.path}/steps/body/tasks", params={"limit": 1, "cursor": cursor}
        ).json()
        assert page["total"] == 3
        found += [task["task"] for task in page["tasks"]]
        cursor = page["next"]
    assert (found, cursor) == (["0001", "0000", "0002"], "")


@pytest.mark.parametrize(
    ("asked", "found"),
    [({"value": "3"}, ["0002"]), ({"value": "0001"}, ["0001"]), ({"state": "failed"}, ["0001"])],
)
def test_tasks_are_found_by_value_and_state(
    failed_run: FailedRun, asked: dict[str, str], found: list[str]
) -> None:
    page = failed_run.ask("admin", f"{failed_run.path}/steps/body/tasks", params=asked).json()
    assert [task["task"] for task in page["tasks"]] == found


def test_what_has_not_changed_is_not_sent_again(failed_run: FailedRun) -> None:
    first = failed_run.ask("admin", failed_run.path)
    again = failed_run.ask("admin", failed_run.path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "max-age" not in again.headers["Cache-Control"]
    other = failed_run.ask("admin", failed_run.path, headers={"If-None-Match": '"other"'})
    assert other.json() == first.json()


def test_answers_are_bounded(failed_run: FailedRun) -> None:
    asked = failed_run.ask("admin", f"{failed_run.path}/steps/body/tasks", params={"limit": 10**6})
    assert asked.status_code == 422


def test_a_viewer_is_not_offered_to_change_anything(failed_run: FailedRun) -> None:
    seen = failed_run.ask("viewer", failed_run.path).json()
    assert not seen["may_resume"]
    assert not seen["may_edit"]


def test_the_api_describes_itself(failed_run: FailedRun) -> None:
    document = failed_run.ask("viewer", "openapi.json").json()
    assert document["servers"] == [{"url": "/flows"}]
    assert "/api/dags/{dag_id}/runs/{run_id}" in document["paths"]


@pytest.mark.browser
def test_the_tab_shows_the_run(failed_run: FailedRun, browser: Browser) -> None:
    with logged_in_page(browser, failed_run.airflow) as page:
        page.goto(failed_run.page)
        tab = page.frame_locator("iframe")
        tab.get_by_text("BrokenFlow/", exact=False).first.wait_for(timeout=60_000)
