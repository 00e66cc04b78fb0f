"""The application behind the views: the routes of :mod:`.routes`, each with the permission of Airflow that it needs.

Nothing here unpickles, imports a flow, or changes anything on GET. Every answer is bounded, says by an ETag whether it is
new, and has a type; ``openapi.json`` describes the JSON API for other tools.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from airflow_mlflow_provider.cards.exception import CardNotPresentException
from airflow_mlflow_provider.exception import MetaflowException, MetaflowNotFound
from airflow_mlflow_provider.plugins.resuming import routes as resuming
from airflow_mlflow_provider.plugins.routes import (
    artifacts,
    cards,
    code,
    flows,
    instances,
    logs,
    pages,
    runs,
    searching,
    tags,
    tasks,
)
from airflow_mlflow_provider.plugins.serving import Served

ROUTERS: tuple[APIRouter, ...] = (
    pages.router,
    runs.router,
    tasks.router,
    artifacts.router,
    cards.router,
    code.router,
    logs.router,
    tags.router,
    instances.router,
    flows.router,
    searching.router,
    resuming.router,
)


def create_app() -> FastAPI:
    """The application that is mounted in Airflow's API server."""
    app = FastAPI(
        title="Flows",
        version="1",
        description="Runs of flows as the artifact store knows them.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_middleware(Served)
    app.add_exception_handler(MetaflowException, _user_error)
    for router in ROUTERS:
        app.include_router(router)
    return app


async def _user_error(request: Request, error: Exception) -> Response:
    missing = isinstance(error, (MetaflowNotFound, CardNotPresentException))
    fix = getattr(error, "fix", "")
    return JSONResponse({"detail": f"{error} {fix}".strip()}, status_code=404 if missing else 409)
