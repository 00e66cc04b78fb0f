"""The routes that resume a run.

==============================  ========================  ==========================================================
route                           needs                     answers
==============================  ========================  ==========================================================
``GET /resume/{dag_id}``        read the DAG's runs       what a resume would take over, and what would run, and why
``POST /resume/{dag_id}``       create runs of the DAG    the new DAG run, queued, with its finished task instances
==============================  ========================  ==========================================================

The origin may be any run of the flow: of this DAG, of another one (which the user must be allowed to read) or a local one. 404 means
that nothing is deployed as this DAG or the API server does not know the store, 424 that it cannot read it, 409 that the
resume makes no sense, 400 that Airflow refuses the run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.exceptions import ParamValidationError
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict

from airflow_mlflow_provider.deploy.resuming import ResumeOptions, find_origin
from airflow_mlflow_provider.deploy.runs import new_dag_run_id
from airflow_mlflow_provider.exception import (
    CommandException,
    MetaflowException,
    MetaflowNotFound,
    ObjectExists,
    StoreException,
)
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plugins.resuming.same_origin import changes_from_here
from airflow_mlflow_provider.plugins.resuming.starting import (
    PlannedResume,
    Requester,
    plan_resume_in_airflow,
    start_resume_in_airflow,
)
from airflow_mlflow_provider.plugins.stores import deployed_manifest, ledger_at

router = APIRouter(tags=["Resuming"])


class ResumeQuestion(BaseModel):
    """What to resume.

    Attributes:
        origin: Run id, or id of a DAG run of this DAG.
        step: Step to run again with all that follows it.
        parameters: Values that differ from the origin's, by name.
        rerun_changed: Whether steps whose code has changed since run again.
        code: Whose code runs.
        until: Step to stop after.
        clone_only: Whether nothing is run.
        dag_run_id: Id for the new DAG run, by which a call that is repeated is seen to be the same.
    """

    model_config = ConfigDict(extra="forbid")

    origin: str
    step: str | None = None
    parameters: dict[str, Any] = {}
    rerun_changed: bool = False
    code: Literal["current", "origin"] = "current"
    until: str | None = None
    clone_only: bool = False
    dag_run_id: str | None = None


class ResumeAnswer(BaseModel):
    """What a resume does.

    Attributes:
        origin: Run id of the origin.
        taken_over: Number of tasks taken over, by step.
        runs: Why each of the tasks runs that the new run starts with, by ``step/task``; the first thousand.
        more: How many there are besides.
        changed: Steps that are taken over although their code has changed.
        instances: Number of finished task instances, by Airflow task.
    """

    origin: str
    taken_over: dict[str, int]
    runs: dict[str, str]
    more: int = 0
    changed: tuple[str, ...] = ()
    instances: dict[str, int] = {}


class ResumedRun(ResumeAnswer):
    """A resumed run that Airflow has queued.

    Attributes:
        dag_run_id: Its DAG run.
        run: Its run id.
        paused: Whether the DAG is paused, so that the run waits.
    """

    dag_run_id: str
    run: str
    paused: bool


@router.get("/resume/{dag_id}", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))])
def plan_resume(
    dag_id: str,
    user: GetUserDep,
    origin: str,
    step: str | None = None,
    rerun_changed: Annotated[bool, Query()] = False,
    code: Literal["current", "origin"] = "current",
    until: str | None = None,
) -> ResumeAnswer:
    """What a resume would do; changes nothing."""
    question = ResumeQuestion(origin=origin, step=step, rerun_changed=rerun_changed, code=code, until=until)
    return _answer(_Resume(dag_id, question, user).plan())


@router.post(
    "/resume/{dag_id}",
    status_code=201,
    dependencies=[
        Depends(changes_from_here),
        Depends(requires_access_dag("POST", DagAccessEntity.RUN)),
        Depends(action_logging("resume_dag_run")),
    ],
)
def start_resume(dag_id: str, question: ResumeQuestion, user: GetUserDep, request: Request) -> ResumedRun:
    """Start a run that takes over what the origin has finished."""
    resume = _Resume(dag_id, question, user)
    planned = resume.plan()
    dag_run_id = question.dag_run_id or new_dag_run_id()
    requester = Requester(user.get_name(), user.get_id(), from_ui="sec-fetch-site" in request.headers)
    try:
        started = start_resume_in_airflow(resume.ledger, planned, dag_run_id, requester)
    except ObjectExists as error:
        raise HTTPException(409, f"There is a run {dag_run_id} already.") from error
    except MetaflowException:
        raise
    except (ParamValidationError, ValueError) as error:
        raise HTTPException(400, str(error)) from error
    return ResumedRun(
        **_answer(planned).model_dump(), dag_run_id=dag_run_id, run=started.run.run, paused=started.paused
    )


class _Resume:
    """A question, made out against the store."""

    def __init__(self, dag_id: str, question: ResumeQuestion, user: BaseUser) -> None:
        try:
            self._deployed: FlowManifest = deployed_manifest(dag_id)
            self.ledger = ledger_at(self._deployed.store)
            origin = self._run_id(question.origin, user)
        except StoreException as error:
            raise HTTPException(424, f"The API server cannot read the artifact store: {error}") from error
        self.options = ResumeOptions(
            origin=origin,
            step=question.step,
            parameters=question.parameters,
            rerun_changed=question.rerun_changed,
            code=question.code,
            until=question.until,
            clone_only=question.clone_only,
        )

    def plan(self) -> PlannedResume:
        return plan_resume_in_airflow(self.ledger, self._deployed, self.options)

    def _run_id(self, origin: str, user: BaseUser) -> str:
        """The run id of the origin, if the user may read it."""
        try:
            record = find_origin(self.ledger, self._deployed, origin)
        except CommandException as error:
            raise MetaflowNotFound(error.message, fix=error.fix, where=error.where) from error
        other = str(record.airflow.get("dag_id", self._deployed.dag_id))
        if other != self._deployed.dag_id:
            _check_readable(other, user)
        return record.run


def _check_readable(dag_id: str, user: BaseUser) -> None:
    allowed = get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
    )
    if not allowed:
        raise HTTPException(403, f"You may not read the runs of the DAG {dag_id}.")


def _answer(planned: PlannedResume) -> ResumeAnswer:
    summary = planned.plan.summary
    instances: dict[str, int] = {}
    for one in planned.finished.instances:
        instances[one.task_id] = instances.get(one.task_id, 0) + 1
    return ResumeAnswer(
        origin=summary.origin,
        taken_over=summary.taken_over,
        runs=summary.runs,
        more=summary.more,
        changed=summary.changed,
        instances=instances,
    )
