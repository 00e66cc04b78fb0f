"""The flows that a user may read, the runs of one side by side, and the search through all of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.plugins.conftest import FailedRun

pytestmark = pytest.mark.live


def told(run: FailedRun, path: str, user: str = "admin") -> Any:
    """What a route answers."""
    answer = run.ask(user, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list_holds_the_flows_that_the_user_may_read(failed_run: FailedRun) -> None:
    page = told(failed_run, "api/flows?text=Breaks%20in", "viewer")
    (flow,) = page["flows"]
    assert (flow["dag_id"], flow["owner"], flow["step_count"]) == ("BrokenFlow", "plugin", 4)
    assert flow["doc"] == "Breaks in its **second** split."
    assert failed_run.dag_run_id in [mark["dag_run_id"] for mark in flow["runs"]]
    assert told(failed_run, "api/flows?text=Breaks%20in", "stranger")["flows"] == []
    assert told(failed_run, "api/flows?text=Breaks%20in", "no-run")["flows"][0]["runs"] == []
    assert told(failed_run, "api/flows?text=no%20such%20flow")["total"] == 0


def test_flows_come_in_pages(failed_run: FailedRun) -> None:
    everything = [one["dag_id"] for one in told(failed_run, "api/flows?limit=200")["flows"]]
    names, cursor = [], ""
    while True:
        page = told(failed_run, f"api/flows?limit=1&cursor={cursor}")
        names += [one["dag_id"] for one in page["flows"]]
        cursor = page["next"]
        if not cursor:
            break
    assert names == everything == sorted(everything)


def test_the_runs_of_a_dag_tell_how_they_went(failed_run: FailedRun) -> None:
    runs = told(failed_run, "api/dags/BrokenFlow/runs")["runs"]
    (run,) = (one for one in runs if one["mark"]["dag_run_id"] == failed_run.dag_run_id)
    assert run["mark"]["status"] == "failed"
    assert run["parameters"] == {"limit": 2}


def test_the_card_of_a_flow_is_a_document_for_the_viewer(failed_run: FailedRun) -> None:
    card = told(failed_run, "api/dags/BrokenFlow/card")
    assert (card["title"], card["type"]) == ("BrokenFlow", "flow")
    titles = [part.get("title") for part in card["components"]]
    assert {"Flow", "About", "Parameters", "Last runs"} <= set(titles)


def test_runs_are_put_side_by_side_in_the_order_asked_for(failed_run: FailedRun) -> None:
    run = quote(failed_run.dag_run_id)
    found = told(failed_run, f"api/dags/BrokenFlow/comparison?run={run}&run={run}")
    assert [one["dag_run_id"] for one in found["runs"]] == [failed_run.dag_run_id] * 2
    assert found["parameters"] == [{"name": "limit", "values": [2, 2], "differs": False}]
    assert [row["name"] for row in found["seconds"]] == ["start", "body", "join", "end"]
    assert failed_run.ask("admin", "api/dags/BrokenFlow/comparison?run=none").status_code == 404
    many = "&".join(["run=x"] * 9)
    assert failed_run.ask("admin", f"api/dags/BrokenFlow/comparison?{many}").status_code == 422


def test_numbers_can_be_followed_from_run_to_run(failed_run: FailedRun) -> None:
    assert "body" in told(failed_run, "api/dags/BrokenFlow/numbers")["steps"]
    trend = told(failed_run, "api/dags/BrokenFlow/trend?step=body&name=value")
    (point,) = (one for one in trend["points"] if one["dag_run_id"] == failed_run.dag_run_id)
    assert (point["mean"], point["lowest"], point["highest"], point["tasks"]) == (2.0, 1.0, 3.0, 2)


def test_a_flow_without_cache_has_nothing_reused(failed_run: FailedRun) -> None:
    assert told(failed_run, "api/dags/BrokenFlow/reuse") == {"steps": [], "runs": []}


@pytest.mark.parametrize(
    ("query", "by", "kind"),
    [
        ("brokenfl", "pathspec", "flow"),
        ("BrokenFlow/airflow-manual", "pathspec", "run"),
        ("runtime:airflow", "tag", "run"),
        ("rema", "artifact", "artifact"),
    ],
)
def test_a_search_finds_only_what_the_user_may_read(
    failed_run: FailedRun, query: str, by: str, kind: str
) -> None:
    path = f"api/search?query={query}&by={by}&limit=200"
    found = [one for one in told(failed_run, path, "viewer")["found"] if one["dag_id"] == "BrokenFlow"]
    assert {one["kind"] for one in found} == {kind}
    assert told(failed_run, path, "stranger")["found"] == []
    hidden = {"artifact": "no-xcom", "run": "no-run"}.get(kind, "no-run")
    assert told(failed_run, path, hidden)["found"] == []
