"""Who may use which route: each route of the application is in the table below, and the table is asked of a live Airflow."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from tests.plugins.application import application
from tests.plugins.conftest import FailedRun

pytestmark = pytest.mark.live

RUN = "/api/dags/{dag_id}/runs/{run_id}"
TASK = RUN + "/steps/{step}/tasks/{task}"
# For each route, the entity of the DAG that its user must be allowed; `dag` the DAG itself, `login` no more than a login.
NEEDS = {
    "GET /view/run/{dag_id}/{run_id}": "run",
    "GET /view/task/{dag_id}/{run_id}/{task_id}/{map_index}": "task_instance",
    "GET /view/flow/{dag_id}": "dag",
    "GET /view/flows": "login",
    "GET /static/{name}": "login",
    "GET /openapi.json": "login",
    f"GET {RUN}": "run",
    f"GET {RUN}/progress": "run",
    f"GET {RUN}/steps/{{step}}/tasks": "task_instance",
    f"GET {TASK}": "task_instance",
    f"GET {TASK}/artifacts": "xcom",
    f"GET {RUN}/code": "code",
    f"GET {RUN}/code/file": "code",
    f"GET {TASK}/attempts/{{attempt}}/logs/{{stream}}": "task_logs",
    f"GET {TASK}/attempts/{{attempt}}/cards": "xcom",
    f"GET {TASK}/attempts/{{attempt}}/cards/{{index}}": "xcom",
    f"GET {TASK}/attempts/{{attempt}}/cards/{{index}}/page": "xcom",
    f"PATCH {RUN}/tags": "run",
    f"GET {TASK}/inputs": "xcom",
    f"GET {TASK}/attempts/{{attempt}}/circumstances": "task_instance",
    f"GET {RUN}/instances/{{task_id}}/{{map_index}}": "task_instance",
    "GET /api/flows": "login",
    "GET /api/search": "login",
    "GET /api/dags/{dag_id}/card": "run",
    "GET /api/dags/{dag_id}/runs": "run",
    "GET /api/dags/{dag_id}/comparison": "task_instance",
    "GET /api/dags/{dag_id}/numbers": "xcom",
    "GET /api/dags/{dag_id}/trend": "xcom",
    "GET /api/dags/{dag_id}/reuse": "task_instance",
    "GET /resume/{dag_id}": "run",
    "POST /resume/{dag_id}": "run",
}
NAMES = {
    "dag_id": "BrokenFlow",
    "step": "start",
    "task": "0",
    "task_id": "start",
    "map_index": "-1",
    "attempt": "0",
    "index": "0",
    "stream": "stdout",
    "name": "views.js",
}
# What must be asked besides.
QUERIES = {
    f"GET {RUN}/code/file": "?path=broken_flow.py",
    "GET /resume/{dag_id}": "?origin={}",
    "GET /api/search": "?query=Broken",
    "GET /api/dags/{dag_id}/comparison": "?run={}",
    "GET /api/dags/{dag_id}/trend": "?step=start&name=limit",
}


def routes() -> set[str]:
    """Method and path of every route that the application has."""
    return {
        f"{method} {route.path}"
        for route in application().routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def test_every_route_is_in_the_table_and_nothing_else_is_mounted() -> None:
    assert routes() == set(NEEDS)
    assert all(isinstance(route, APIRoute) for route in application().routes)


@pytest.mark.parametrize("route", sorted(NEEDS))
def test_a_route_lets_in_those_whom_airflow_lets_and_nobody_else(failed_run: FailedRun, route: str) -> None:
    method, path = route.split(" ")
    query = QUERIES.get(route, "").format(quote(failed_run.dag_run_id))
    path = path.format(**NAMES, run_id=failed_run.dag_run_id).lstrip("/") + query
    needs = NEEDS[route]

    def status(user: str | None) -> int:
        return failed_run.ask(user, path, method, json={} if method != "GET" else None).status_code

    assert status(None) == 401
    if needs == "login":
        assert status("stranger") == 200
        return
    assert status("stranger") == 403
    if needs != "dag":
        assert status(f"no-{needs}") == 403
    assert status("viewer") == (200 if method == "GET" else 403)


@pytest.mark.parametrize("route", sorted(route for route in NEEDS if not route.startswith("GET ")))
def test_a_changing_route_lets_an_editor_in(failed_run: FailedRun, route: str) -> None:
    method, path = route.split(" ")
    names = {**NAMES, "dag_id": "NoSuchFlow", "run_id": "none"}
    answer = failed_run.ask("editor", path.format(**names).lstrip("/"), method, json={})
    assert answer.status_code not in (401, 403), answer.text


def test_what_is_not_there_is_not_found(failed_run: FailedRun) -> None:
    for path in (
        "api/dags/NoSuchDag/runs/x",
        "api/dags/BrokenFlow/runs/x",
        "static/bundle.json",
        "static/..%2Fapi.py",
    ):
        assert failed_run.ask("admin", path).status_code == 404, path
