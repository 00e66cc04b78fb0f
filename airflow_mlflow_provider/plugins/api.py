"""The routes behind the tab; each asks Airflow whether the user may see, or run, the DAG.

=========================================  =======================  ===================================
route                                      needs                    answers
=========================================  =======================  ===================================
``GET /view/{dag_id}/{run_id}``            read the DAG's runs      the page
``GET /static/{name}``                     a login                  its script and style
``GET /api/{dag_id}/{run_id}``             read the DAG's runs      the run
``GET …/steps/{step}``                     read the DAG's runs      a page of its tasks
``GET …/steps/{step}/{task}``              read the DAG's runs      the task's artifacts, as previews
``GET …/resume``                           read the DAG's runs      what a resume would do
``POST …/resume``                          create runs of the DAG   the records of the new run, prepared
=========================================  =======================  ===================================

Nothing here unpickles, imports a flow, or changes anything on GET. The page starts the prepared run through Airflow's own
REST API, as the user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from airflow_mlflow_provider.deploy.resuming import ResumeOptions, plan_deployed_resume, store_resumed
from airflow_mlflow_provider.deploy.runs import new_dag_run_id
from airflow_mlflow_provider.exception import MetaflowException, MetaflowNotFound
from airflow_mlflow_provider.plugins.models import (
    ArtifactView,
    PreparedRun,
    ResumePreview,
    RunView,
    TaskPage,
)
from airflow_mlflow_provider.plugins.reading import DagRunReader
from airflow_mlflow_provider.plugins.resuming.routes import router as resuming_routes

STATIC = Path(__file__).parent / "static"
_FILES = {"run.js": "text/javascript", "run.css": "text/css"}
# No script or style but our own files, no frame around us but Airflow's own pages.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

_reads = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
_starts = Depends(requires_access_dag("POST", DagAccessEntity.RUN))


def create_app() -> FastAPI:
    """The application that is mounted in Airflow's API server."""
    app = FastAPI(title="Flows", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_secure)
    app.add_exception_handler(MetaflowException, _user_error)
    app.get("/view/{dag_id}/{run_id}", dependencies=[_reads])(page)
    app.get("/static/{name}")(static)
    app.get("/api/{dag_id}/{run_id}", dependencies=[_reads])(run)
    app.get("/api/{dag_id}/{run_id}/steps/{step}", dependencies=[_reads])(tasks)
    app.get("/api/{dag_id}/{run_id}/steps/{step}/{task}", dependencies=[_reads])(artifacts)
    app.get("/api/{dag_id}/{run_id}/resume", dependencies=[_reads])(resume_preview)
    app.post("/api/{dag_id}/{run_id}/resume", dependencies=[_starts])(resume)
    app.include_router(resuming_routes)
    return app


def page(dag_id: str, run_id: str) -> FileResponse:
    """The page; it reads the ids from its own address."""
    return FileResponse(STATIC / "run.html", media_type="text/html")


def static(name: str, user: GetUserDep) -> FileResponse:
    """A file of the page."""
    if name not in _FILES:
        raise HTTPException(404, f"There is no file {name}.")
    return FileResponse(STATIC / name, media_type=_FILES[name])


def run(dag_id: str, run_id: str, user: GetUserDep) -> RunView:
    """The run that a DAG run is."""
    may_resume = get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
    )
    return DagRunReader(dag_id, run_id).view(may_resume)


def tasks(dag_id: str, run_id: str, step: str, offset: Annotated[int, Query(ge=0)] = 0) -> TaskPage:
    """A page of the tasks of a step."""
    return DagRunReader(dag_id, run_id).tasks(step, offset)


def artifacts(dag_id: str, run_id: str, step: str, task: str) -> list[ArtifactView]:
    """The artifacts of a task, as they were described when they were saved."""
    return DagRunReader(dag_id, run_id).artifacts(step, task)


def resume_preview(dag_id: str, run_id: str, step: str | None = None) -> ResumePreview:
    """What resuming the run would take over, and what it would run."""
    reader = DagRunReader(dag_id, run_id)
    plan = plan_deployed_resume(reader.ledger, reader.manifest, ResumeOptions(reader.run, step))
    return ResumePreview(taken_over=plan.summary.taken_over, runs=plan.reasons)


def resume(dag_id: str, run_id: str, step: str | None = None) -> PreparedRun:
    """Prepare a run that resumes this one: its record, and what it takes over."""
    reader = DagRunReader(dag_id, run_id)
    plan = plan_deployed_resume(reader.ledger, reader.manifest, ResumeOptions(reader.run, step))
    prepared = store_resumed(reader.ledger, reader.manifest, plan, {}, new_dag_run_id())
    return PreparedRun(dag_run_id=prepared.airflow["dag_run_id"], conf=prepared.parameters, run=prepared.run)


async def _secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


async def _user_error(request: Request, error: Exception) -> Response:
    found = isinstance(error, MetaflowNotFound)
    fix = getattr(error, "fix", "")
    return JSONResponse({"detail": f"{error} {fix}".strip()}, status_code=404 if found else 409)
