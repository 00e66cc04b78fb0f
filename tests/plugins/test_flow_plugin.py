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


def test_the_code_of_two_runs_is_compared_and_files_are_read_one_by_one(failed_run: FailedRun) -> None:
    code = failed_run.ask("viewer", f"{failed_run.path}/code", params={"other": failed_run.dag_run_id}).json()
    assert {one["path"]: one["change"] for one in code["files"]} == {"broken_flow.py": "same"}
    asked = {"path": "broken_flow.py"}
    assert (
        "class BrokenFlow"
        in failed_run.ask("viewer", f"{failed_run.path}/code/file", params=asked).json()["text"]
    )
    outside = {"path": "../../etc/passwd"}
    assert failed_run.ask("viewer", f"{failed_run.path}/code/file", params=outside).status_code == 404
    unknown = failed_run.ask("viewer", f"{failed_run.path}/code", params={"other": "no-such-run"})
    assert unknown.status_code == 404


def test_the_log_of_an_attempt_is_read_from_where_the_last_page_ended(failed_run: FailedRun) -> None:
    address = f"{failed_run.path}/steps/start/tasks/0/attempts/0/logs/stdout"
    page = failed_run.ask("viewer", address).json()
    assert [line["text"] for line in page["lines"] if line["source"] == "task"] == ["three items"]
    rest = failed_run.ask("viewer", address, params={"start": page["next"]}).json()
    assert (rest["lines"], rest["next"]) == ([], page["size"])


def test_a_card_is_data_and_its_page_is_sandboxed(failed_run: FailedRun) -> None:
    cards = f"{failed_run.path}/steps/start/tasks/0/attempts/0/cards"
    (row,) = failed_run.ask("viewer", cards).json()["cards"]
    assert (row["type"], row["status"]) == ("default", "succeeded")
    assert failed_run.ask("viewer", f"{cards}/0").json()["components"]
    page = failed_run.ask("viewer", f"{cards}/0/page")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert failed_run.ask("viewer", f"{cards}/7").status_code == 404


def test_tags_are_changed_as_a_whole_or_not_at_all(failed_run: FailedRun) -> None:
    address = f"{failed_run.path}/tags"
    changed = failed_run.ask("editor", address, "PATCH", json={"add": ["good", "<b>x</b>"]}).json()
    assert {"good", "<b>x</b>"} <= set(changed["tags"])
    refused = failed_run.ask("editor", address, "PATCH", json={"remove": ["good"], "add": ["x" * 501]})
    assert refused.status_code == 409
    assert "good" in failed_run.ask("viewer", failed_run.path).json()["tags"]
    removed = failed_run.ask("editor", address, "PATCH", json={"remove": ["good", "<b>x</b>"]}).json()
    assert not {"good", "<b>x</b>"} & set(removed["tags"])
    as_form = failed_run.ask("editor", address, "PATCH", content="{}", headers={"Content-Type": "text/plain"})
    assert as_form.status_code == 415


@pytest.mark.browser
def test_the_tab_shows_the_run(failed_run: FailedRun, browser: Browser) -> None:
    with logged_in_page(browser, failed_run.airflow) as page:
        page.goto(failed_run.page)
        tab = page.frame_locator("iframe")
        tab.get_by_text("BrokenFlow", exact=False).first.wait_for(timeout=60_000)
