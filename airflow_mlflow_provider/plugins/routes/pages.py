"""The pages of the views and their files; each page reads from its own address what it shows."""

from __future__ import annotations

import functools
import html
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from airflow_mlflow_provider.cards.page import STATIC as CARD_STATIC
from airflow_mlflow_provider.plugins.access import LOGGED_IN, READS_DAG, READS_RUN, READS_TASKS
from airflow_mlflow_provider.plugins.parameters import DagId, DagRunId, Part
from airflow_mlflow_provider.plugins.reading.parts import part_of_task

_STATIC = Path(__file__).parent.parent / "static"
_FILES = {
    "views.js": (_STATIC, "text/javascript"),
    "views.css": (_STATIC, "text/css"),
    # The charts, which only a card with a chart asks for.
    "vega.js": (CARD_STATIC, "text/javascript"),
}
_ONE_YEAR = "private, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@router.get("/view/run/{dag_id}/{run_id}", dependencies=[READS_RUN])
def run_page(request: Request, dag_id: DagId, run_id: DagRunId, part: Part = "") -> HTMLResponse:
    """The tab of a DAG run."""
    return _page(request, part)


@router.get("/view/task/{dag_id}/{run_id}/{task_id}/{map_index}", dependencies=[READS_TASKS])
def task_page(
    request: Request, dag_id: DagId, run_id: DagRunId, task_id: str, map_index: str
) -> HTMLResponse:
    """The tab of a task instance; where it is not mapped, Airflow leaves the placeholder of the index in the address."""
    index = int(map_index) if map_index.isdecimal() else -1
    return _page(request, part_of_task(dag_id, run_id, task_id, index))


@router.get("/view/flow/{dag_id}", dependencies=[READS_DAG])
def flow_page(request: Request, dag_id: DagId) -> HTMLResponse:
    """The tab of a DAG."""
    return _page(request)


@router.get("/view/flows", dependencies=[LOGGED_IN])
def flows_page(request: Request) -> HTMLResponse:
    """The page in the navigation."""
    return _page(request)


@router.get("/static/{name}", dependencies=[LOGGED_IN])
def static(name: str, v: str = "") -> Response:
    """A file of the pages; with the hash of the bundle in its address, it is asked for once."""
    if name not in _FILES:
        raise HTTPException(404, f"There is no file {name}.")
    folder, media = _FILES[name]
    kept = {"Cache-Control": _ONE_YEAR} if v else {}
    return FileResponse(folder / name, media_type=media, headers=kept)


@router.get("/openapi.json", dependencies=[LOGGED_IN])
def openapi(request: Request) -> JSONResponse:
    """What the JSON API answers, as an OpenAPI document."""
    app: FastAPI = request.app
    document: dict[str, Any] = app.openapi()
    return JSONResponse({**document, "servers": [{"url": request.scope.get("root_path", "")}]})


def _page(request: Request, part: str = "") -> HTMLResponse:
    """One page for all views: an empty one with the bundle, whose place follows from where the application is mounted."""
    root = request.scope.get("root_path", "")
    version = _version()
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Flow</title>'
        '<link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="{root}/static/views.css?v={version}"></head>'
        f'<body data-root="{root}" data-part="{html.escape(part)}"><div id="page"></div>'
        f'<script src="{root}/static/views.js?v={version}"></script></body></html>'
    )


@functools.cache
def _version() -> str:
    recorded = json.loads((_STATIC / "bundle.json").read_text())
    return str(recorded["sha256"])[:16]
