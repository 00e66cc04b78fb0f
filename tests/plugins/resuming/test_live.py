"""Resuming through the API server, on a live Airflow: who may, and that what is finished is there from the start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.plugins.resuming.failed import FailedRun, deploy, failed_run
from tests.services.airflow import LiveAirflow

pytestmark = pytest.mark.live

TAKEN_OVER = {"start": 1, "spread": 1, "body": 2, "polish": 2, "way": 1}
LEFT = {"body/0001": "failed", "left/0": "failed", "first/0": "failed"}


@pytest.fixture(scope="module")
def failed(live_airflow_sqlite: LiveAirflow, tmp_path_factory: pytest.TempPathFactory) -> FailedRun:
    """The run that is resumed; nothing changes it, so all tests share it."""
    return failed_run(live_airflow_sqlite, "resume_live", tmp_path_factory.mktemp("resume") / "fails")


@pytest.fixture(scope="module")
def clients(live_airflow_sqlite: LiveAirflow) -> Iterator[dict[str, httpx.Client]]:
    """Who asks: nobody in particular, one who may only look, one who may not see the DAG, one who may do all."""
    with (
        httpx.Client(base_url=live_airflow_sqlite.base_url) as nobody,
        live_airflow_sqlite.login("viewer").client as viewer,
        live_airflow_sqlite.login("stranger").client as stranger,
    ):
        admin = live_airflow_sqlite.api.client
        yield {"nobody": nobody, "viewer": viewer, "stranger": stranger, "admin": admin}


def test_only_what_was_left_runs_and_the_rest_is_shown_as_success_with_a_note(failed: FailedRun) -> None:
    answer = failed.resume()
    assert (answer["taken_over"], answer["runs"], answer["paused"]) == (TAKEN_OVER, LEFT, False)
    found = failed.finished(answer["dag_run_id"])
    assert found.artifact("end", "values") == [1, 11, 21]
    assert found.artifact("end", "chosen") == "first"
    assert found.record.origin == failed.run

    instances = failed.instances(answer["dag_run_id"])
    other = {label: one.state for label, one in instances.items() if one.state != "success"}
    assert other == {"second": "skipped"}
    # What runs has a process; what was taken over never had one.
    ran = {label for label, one in instances.items() if one.details["pid"] is not None}
    assert ran == {"body[1]", "polish[1]", "left", "first", "gather", "meet", "collect", "end"}
    body = instances["body[0]"]
    assert body.details["note"].startswith(f"Taken over from ThreeFailuresFlow/{failed.run}/body/0000")
    assert (body.details["rendered_map_index"], body.try_number) == ("items=0", 1)
    api, dag_id = failed.airflow.api, failed.manifest.dag_id
    origin_page = f"/dags/{dag_id}/runs/{quote(failed.dag_run_id, safe='')}/tasks/body/mapped/0"
    tab = f"/dags/{dag_id}/runs/{quote(answer['dag_run_id'], safe='')}/plugin/flow"
    for index, origin in ((0, origin_page), (1, None)):
        step = f"{tab.removesuffix('/plugin/flow')}/tasks/body/mapped/{index}/plugin/step"
        links = {"Origin run": origin, "Resume": tab, "Flow run": tab, "Artifacts": step}
        links["Card"] = f"{step}#show=cards"
        assert failed.links(answer["dag_run_id"], "body", index) == links
    assert failed.run in api.run(dag_id, answer["dag_run_id"])["note"]


def test_a_resumed_run_leaves_in_xcom_what_an_ordinary_one_does(failed: FailedRun) -> None:
    api, dag_id = failed.airflow.api, failed.manifest.dag_id
    resumed = failed.resume()["dag_run_id"]
    for task, key in (("spread", "return_value"), ("spread", "pointer"), ("body", "pointer")):
        index = 2 if task == "body" else -1
        values = [api.xcom(dag_id, run, task, key, map_index=index) for run in (failed.dag_run_id, resumed)]
        assert values[0] == values[1], (task, key)
    failed.finished(resumed)


@pytest.mark.parametrize(
    ("user", "method", "status"),
    [
        ("nobody", "GET", 401),
        ("nobody", "POST", 401),
        ("viewer", "GET", 200),
        ("viewer", "POST", 403),
        ("stranger", "GET", 403),
        ("stranger", "POST", 403),
    ],
)
def test_only_who_may_start_runs_of_the_dag_may_resume_one(
    failed: FailedRun, clients: dict[str, httpx.Client], user: str, method: str, status: int
) -> None:
    path, query = f"/flows/resume/{failed.manifest.dag_id}", {"origin": failed.run}
    asked: dict[str, Any] = {"params": query} if method == "GET" else {"json": query}
    before = _runs(failed)
    assert clients[user].request(method, path, **asked).status_code == status
    assert _runs(failed) == before


def test_a_run_of_a_dag_that_the_user_may_not_read_is_not_resumed_under_one_that_they_may(
    failed: FailedRun, clients: dict[str, httpx.Client]
) -> None:
    manifest = deploy(failed.airflow, "stranger_resume")
    for run, status in ((failed.run, 403), ("airflow-none", 404)):
        answer = clients["stranger"].post(f"/flows/resume/{manifest.dag_id}", json={"origin": run})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Referer": "https://elsewhere.example/page"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        # Refused for its content only: it came from our own page.
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Origin": "{airflow}"}, 404),
    ],
)
def test_the_page_of_another_site_cannot_resume_with_a_users_cookie(
    failed: FailedRun, headers: dict[str, str], status: int
) -> None:
    given = {name: value.format(airflow=failed.airflow.base_url) for name, value in headers.items()}
    answer = failed.airflow.api.client.post(
        f"/flows/resume/{failed.manifest.dag_id}",
        content=b'{"origin": "no-such-run"}',
        headers={"Content-Type": "application/json", **given},
    )
    assert answer.status_code == status, answer.text


def test_a_dry_run_tells_what_is_taken_over_what_runs_and_why_and_changes_nothing(failed: FailedRun) -> None:
    before = _runs(failed)
    asked = {"origin": failed.dag_run_id, "step": "spread"}
    answer = failed.airflow.api.client.get(f"/flows/resume/{failed.manifest.dag_id}", params=asked)
    told = answer.raise_for_status().json()
    assert told["origin"] == failed.run
    assert told["taken_over"] == {"start": 1, "way": 1}
    assert told["runs"] == {"spread/0": "was asked for", "left/0": "failed", "first/0": "failed"}
    assert told["instances"] == {"start": 1, "way": 1, "second": 1}
    assert _runs(failed) == before


@pytest.mark.parametrize(
    ("question", "status", "said"),
    [
        ({"origin": "no-such-run"}, 404, "no run ThreeFailuresFlow/no-such-run"),
        ({"origin": "{run}", "step": "bdy"}, 409, "has no step 'bdy' (close: body)"),
        ({"origin": "{run}", "parameters": {"filee": 1}}, 409, "has no parameter 'filee'"),
        ({"origin": "{run}", "parameters": {"splits": "three"}}, 400, "is not of type 'integer'"),
        ({"origin": "{run}", "dag_run_id": "{dag_run}"}, 409, "already"),
        ({"origin": "{run}", "dag_run_id": "scheduled__x"}, 400, "reserved"),
        ({"origin": "{run}", "color": "red"}, 422, "color"),
        ({}, 422, "origin"),
    ],
)
def test_a_resume_that_cannot_be_leaves_nothing_behind(
    failed: FailedRun, question: dict[str, Any], status: int, said: str
) -> None:
    ledger = Ledger(open_store(failed.airflow.store))
    before = (_runs(failed), ledger.latest("ThreeFailuresFlow", 100))
    filled = {
        key: value.format(run=failed.run, dag_run=failed.dag_run_id) if isinstance(value, str) else value
        for key, value in question.items()
    }
    answer = failed.airflow.api.client.post(f"/flows/resume/{failed.manifest.dag_id}", json=filled)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert (_runs(failed), ledger.latest("ThreeFailuresFlow", 100)) == before
    if "dag_run_id" in question and status == 400:
        ended = ledger.run_end("ThreeFailuresFlow", airflow_run_id("resume_live", filled["dag_run_id"]))
        assert ended is not None
        assert ended.status == "terminated"


def test_who_resumes_is_in_the_audit_log(failed: FailedRun) -> None:
    run = failed.resume()["dag_run_id"]
    query = {"dag_id": failed.manifest.dag_id, "event": "resume_dag_run", "order_by": "-when"}
    (entry, *_) = failed.airflow.api.request("GET", "/eventLogs", params=query)["event_logs"]
    assert entry["owner"] == "admin"
    assert failed.run in entry["extra"]
    failed.finished(run)


def _runs(failed: FailedRun) -> int:
    path = f"/dags/{failed.manifest.dag_id}/dagRuns"
    return int(failed.airflow.api.request("GET", path)["total_entries"])
