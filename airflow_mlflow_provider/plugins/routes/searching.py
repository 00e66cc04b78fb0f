"""Search through the runs of all flows that the user may read."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import APIRouter, Query

from airflow_mlflow_provider.client.searching import Finding, Search
from airflow_mlflow_provider.plugins.access import LOGGED_IN, AskerDep
from airflow_mlflow_provider.plugins.models.searching import FindingPage, FindingView
from airflow_mlflow_provider.plugins.parameters import Cursor, Limit
from airflow_mlflow_provider.plugins.reading.deployed import deployed_flows
from airflow_mlflow_provider.plugins.stores import ledger_at

router = APIRouter(prefix="/api/search", dependencies=[LOGGED_IN], tags=["Search"])


@router.get("")
def search(
    asker: AskerDep,
    query: Annotated[
        str,
        Query(
            min_length=1,
            max_length=500,
            description="The beginning of a pathspec, a part of a tag, or the beginning of an artifact's name.",
        ),
    ],
    by: Literal["pathspec", "tag", "artifact"] = "pathspec",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> FindingPage:
    """Runs, steps, tasks and artifacts of all flows that the user may read; in bounded time, with a cursor to go on from."""
    # Who may not see XComs in Airflow's own pages finds no artifacts here.
    needed = [DagAccessEntity.RUN, *([DagAccessEntity.XCOM] if _asks_for_artifacts(query, by) else [])]
    dags: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in deployed_flows(asker.readable_dags()):
        if all(asker.may("GET", one.dag_id, entity) for entity in needed):
            dags[one.manifest.store][one.manifest.flow_name].add(one.dag_id)
    stores = sorted(dags)
    place, _, after = cursor.partition(" ")
    found: list[FindingView] = []
    for number in range(int(place) if place.isdecimal() else 0, len(stores)):
        page = Search(ledger_at(stores[number]), dags[stores[number]]).page(query, by, after, limit)
        found += map(_view, page.found)
        after = ""
        if page.next:
            return FindingPage(found=found, next=f"{number} {page.next}", is_full=page.is_full)
    return FindingPage(found=found, next="", is_full=False)


def _asks_for_artifacts(query: str, by: str) -> bool:
    return by == "artifact" or (by == "pathspec" and query.strip("/ ").count("/") > 3)


def _view(one: Finding) -> FindingView:
    return FindingView(
        kind=one.kind,
        pathspec=one.pathspec,
        dag_id=one.dag_id,
        dag_run_id=one.dag_run_id,
        created_at=one.created_at,
        tags=list(one.tags),
        type=one.type,
        preview=one.preview if isinstance(one.preview, dict) else None,
    )
