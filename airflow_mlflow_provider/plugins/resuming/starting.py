"""Starting a resumed run: its records in the store first, then the DAG run, so that its first task finds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.types import DagRunType
from sqlalchemy import select

from airflow_mlflow_provider.deploy.resuming import (
    ResumeOptions,
    drop_resumed,
    plan_deployed_resume,
    resumed_manifest,
    store_resumed,
)
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.operators.origin import page_path
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plugins.resuming.instances import (
    FinishedInstance,
    FinishedInstances,
    finished_instances,
)
from airflow_mlflow_provider.plugins.resuming.writing import RunOrder, check_parsed, write_resumed_run
from airflow_mlflow_provider.runtime.resume import ResumePlan
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord

if TYPE_CHECKING:
    from airflow.serialization.definitions.dag import SerializedDAG
    from sqlalchemy.orm import Session


class Requester(msgspec.Struct, frozen=True):
    """Who resumes.

    Attributes:
        name: User name.
        user_id: Airflow's id of them.
        from_ui: Whether they use a browser.
    """

    name: str
    user_id: str | None
    from_ui: bool


class PlannedResume(msgspec.Struct, frozen=True):
    """A resume that has been planned, and changed nothing.

    Attributes:
        plan: What is taken over, what runs, and why.
        manifest: The flow as the run will see it.
        finished: The task instances that are finished from the start.
    """

    plan: ResumePlan
    manifest: FlowManifest
    finished: FinishedInstances


class StartedResume(msgspec.Struct, frozen=True):
    """A resumed run that Airflow has queued.

    Attributes:
        run: Its record.
        paused: Whether the DAG is paused, so that it waits.
    """

    run: RunRecord
    paused: bool


def plan_resume_in_airflow(ledger: Ledger, deployed: FlowManifest, options: ResumeOptions) -> PlannedResume:
    """Plan a resume.

    Raises:
        CommandException: The origin, the step or a parameter does not exist, or the origin's code makes another DAG.
    """
    manifest = resumed_manifest(ledger, deployed, options)
    plan = plan_deployed_resume(ledger, manifest, options)
    widest = min(manifest.limits.max_map_width, conf.getint("core", "max_map_length"))
    return PlannedResume(plan, manifest, finished_instances(Deployment(manifest), plan, widest))


def start_resume_in_airflow(
    ledger: Ledger, planned: PlannedResume, dag_run_id: str, requester: Requester
) -> StartedResume:
    """Store the records of the run and make the DAG run with its finished task instances, in one transaction.

    Where Airflow does not take it, the run is sealed and taken out of the listings.

    Raises:
        MetaflowNotFound: Airflow does not know the DAG.
        CommandException: The DAG cannot be started by hand, or is not the one that is deployed.
        ObjectExists: There is such a run already.
        ValueError: Airflow does not take the id or the configuration.
    """
    manifest = planned.manifest
    with create_session(scoped=False) as session:
        _, paused = _startable(session, manifest)
        _check_new(session, manifest.dag_id, dag_run_id)
    record = store_resumed(ledger, manifest, planned.plan, dag_run_id)
    order = RunOrder(
        dag_run_id=dag_run_id,
        conf=record.parameters,
        note=f"Resumes {manifest.flow_name}/{planned.plan.origin}.",
        user=requester.name,
        user_id=requester.user_id,
        from_ui=requester.from_ui,
    )
    try:
        with create_session(scoped=False) as session:
            dag, _ = _startable(session, manifest)
            origins = _Origins(ledger, manifest, session).of(planned.finished.instances)
            write_resumed_run(session, dag, Deployment(manifest), planned.finished, origins, order)
    except BaseException:
        drop_resumed(ledger, record)
        raise
    return StartedResume(record, paused)


def _startable(session: Session, manifest: FlowManifest) -> tuple[SerializedDAG, bool]:
    """The DAG, and whether it is paused; what Airflow's own trigger checks is checked here."""
    dag_id = manifest.dag_id
    model = session.scalar(select(DagModel).where(~DagModel.is_stale, DagModel.dag_id == dag_id))
    dag = DBDagBag(load_op_links=False).get_latest_version_of_dag(dag_id, session=session) if model else None
    if model is None or dag is None:
        raise MetaflowNotFound(
            f"Airflow has no DAG {dag_id}.",
            fix="Deploy the flow with `airflow create`, and wait until Airflow has parsed it.",
            where={"dag": dag_id},
        )
    allowed = getattr(model, "allowed_run_types", None)
    problem = "has import errors" if model.has_import_errors else ""
    if allowed is not None and DagRunType.MANUAL not in allowed:
        problem = "does not allow manual runs"
    if problem:
        raise CommandException(
            f"The DAG {dag_id} {problem}, so no run of it can be started.",
            fix="See the DAG's page in Airflow.",
            where={"dag": dag_id},
        )
    check_parsed(dag, Deployment(manifest))
    return dag, bool(model.is_paused)


def _check_new(session: Session, dag_id: str, dag_run_id: str) -> None:
    """See that there is no such run, before anything is stored under its name."""
    same = select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == dag_run_id)
    if session.scalar(same) is not None:
        raise CommandException(
            f"The DAG {dag_id} has a run {dag_run_id} already.",
            fix="Leave the id out, or give another one.",
            where={"dag": dag_id},
        )


class _Origins:
    """Finds where tasks that are taken over ran in Airflow, if they did and it still knows."""

    def __init__(self, ledger: Ledger, manifest: FlowManifest, session: Session) -> None:
        self._ledger, self._flow, self._session = ledger, manifest.flow_name, session
        self._runs: dict[str, tuple[dict[str, Any], dict[tuple[str, str], int]]] = {}

    def of(self, instances: Iterable[FinishedInstance]) -> dict[str, dict[str, Any]]:
        """By pathspec of the first task of each instance."""
        return {one.origins[0]: self._of(one) for one in instances if one.origins}

    def _of(self, one: FinishedInstance) -> dict[str, Any]:
        pathspec = one.origins[0]
        run = pathspec.split("/")[1]
        if run not in self._runs:
            self._runs[run] = self._read(run)
        airflow, instances = self._runs[run]
        map_index = instances.get((one.task_id, one.label))
        if not airflow:
            return {"pathspec": pathspec}
        place: dict[str, Any] = {"dag_id": airflow["dag_id"], "dag_run_id": airflow["dag_run_id"]}
        if map_index is not None:
            place |= {"task_id": one.task_id, "map_index": map_index}
        return {"pathspec": pathspec, **place, "path": page_path(**place)}

    def _read(self, run: str) -> tuple[dict[str, Any], dict[tuple[str, str], int]]:
        from airflow.models.taskinstance import TaskInstance

        airflow = self._ledger.run(self._flow, run).airflow
        if not airflow:
            return {}, {}
        rows = self._session.execute(
            select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance._rendered_map_index).where(
                TaskInstance.dag_id == airflow["dag_id"], TaskInstance.run_id == airflow["dag_run_id"]
            )
        )
        found = {(task_id, label or ""): map_index for task_id, map_index, label in rows}
        return (airflow, found) if found else ({}, {})
