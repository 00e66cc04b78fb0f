"""Resuming a run in Airflow: what a new DAG run takes over, and its records, which its tasks find when they start."""

from __future__ import annotations

import platform
import socket
import time
from contextlib import suppress
from typing import Any, Literal

import msgspec

from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.runs import StartedRun, check_conf, start_run
from airflow_mlflow_provider.exception import AirflowApiError, CommandException, MetaflowNotFound
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.editable import with_edited_configs
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode, encode
from airflow_mlflow_provider.plan.run_tags import system_tags
from airflow_mlflow_provider.runtime.resume import (
    ResumePlan,
    ResumeRequest,
    ResumeSummary,
    origin_record,
    plan_resume_of,
)
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunEnd, RunRecord


class ResumeOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to resume in Airflow, and how.

    Attributes:
        origin: Run id of the origin, of a local run or of an Airflow run.
        step: Step to run again with all that follows it, ``None`` for what has not finished only.
        parameters: Values that differ from the origin's.
        rerun_changed: Whether steps whose code differs from the origin's run again for it.
        code: ``current`` runs the code that is deployed now, ``origin`` that of the origin.
        until: Step to stop after, ``None`` for the whole flow.
        clone_only: Whether nothing is run: the new run only takes over what has finished.
    """

    origin: str
    step: str | None = None
    parameters: dict[str, Any] = {}
    rerun_changed: bool = False
    code: Literal["current", "origin"] = "current"
    until: str | None = None
    clone_only: bool = False


def find_origin(ledger: Ledger, manifest: FlowManifest, text: str) -> RunRecord:
    """The run to resume.

    Args:
        ledger: The records.
        manifest: The flow as it is deployed.
        text: Run id, ``Flow/run``, or the id of a DAG run of the deployment.

    Raises:
        CommandException: There is no such run; the message names the latest.
    """
    flow = manifest.flow_name
    named = text.removeprefix(f"{flow}/")
    candidates = [named, airflow_run_id(manifest.dag_id, named)]
    # No run id of ours has such characters, and Airflow's own DAG run ids all have one: spares a look-up in vain.
    for run in candidates[1:] if {":", "+"} & set(named) else candidates:
        with suppress(MetaflowNotFound):
            return ledger.run(flow, run)
    return origin_record(ledger, flow, named)


def plan_deployed_resume(ledger: Ledger, manifest: FlowManifest, options: ResumeOptions) -> ResumePlan:
    """What a resumed run of a deployed flow would take over.

    Args:
        ledger: The records.
        manifest: The flow as it runs, see :func:`resumed_manifest`.
        options: What to resume.

    Raises:
        CommandException: The origin, a step or a parameter does not exist, or the run cannot stop where it is to.
    """
    # A resumed run has the configs of its origin.
    check_conf(msgspec.structs.replace(manifest, editable_configs=()), options.parameters)
    request = ResumeRequest(
        options.origin, options.step, options.parameters, options.rerun_changed, options.until
    )
    plan = plan_resume_of(ledger, manifest, request)
    if options.until is not None:
        _check_stop(manifest, options.until)
    until = "" if options.clone_only else options.until
    return msgspec.structs.replace(plan, carried=msgspec.structs.replace(plan.carried, until=until))


def _check_stop(manifest: FlowManifest, step: str) -> None:
    last = Deployment(manifest).plan.unit_of(step).steps[-1]
    if last != step:
        raise CommandException(
            f"The run cannot stop after {step}: it is one Airflow task with {last}.",
            fix=f"Stop after {last}, or deploy the flow without --fuse.",
            where={"flow": manifest.flow_name, "step": step},
        )


def resumed_manifest(ledger: Ledger, deployed: FlowManifest, options: ResumeOptions) -> FlowManifest:
    """The flow as the resumed run sees it: as it is deployed, or with the code of the origin.

    Raises:
        CommandException: The origin does not exist, has no code of its own, or its steps do not make the DAG that is deployed.
    """
    if options.code == "current" and not deployed.editable_configs:
        return deployed
    record = origin_record(ledger, deployed.flow_name, options.origin)
    old = decode(ledger.blob(record.manifest), f"manifest of {deployed.flow_name}/{options.origin}")
    if options.code == "current":
        return with_edited_configs(deployed, old.configs)
    manifest = msgspec.structs.replace(
        deployed,
        graph=old.graph,
        code=old.code,
        configs=old.configs,
        config_attributes=old.config_attributes,
        constants=old.constants,
        parameters=old.parameters,
        environment=old.environment,
        environments=record.environments,
    )
    where = {"flow": deployed.flow_name, "run": options.origin}
    in_pods = any(manifest.step_compute(step) == "kubernetes" for step in manifest.graph.steps)
    if not old.code.digest or (in_pods and not record.airflow):
        # The package of a local run does not hold the runtime that a pod needs.
        raise CommandException(
            f"The run {options.origin} has no code package{' for pods' if old.code.digest else ''}.",
            fix="Resume it with the code that is deployed, or check its version out and resume it locally.",
            where=where,
        )
    if Deployment(manifest).plan != Deployment(deployed).plan:
        raise CommandException(
            f"The steps of {options.origin} make another DAG than the one that is deployed as {deployed.dag_id}.",
            fix="Resume it with the code that is deployed; `replay` runs the origin's code locally.",
            where=where,
        )
    return manifest


class ResumedRun(msgspec.Struct, frozen=True):
    """A resumed run that Airflow has accepted.

    Attributes:
        started: The run.
        summary: What it takes over and runs.
        in_one_go: Whether the plugin made it: task instances taken over are finished from the start, and no worker is asked
            for them.
    """

    started: StartedRun
    summary: ResumeSummary
    in_one_go: bool


def start_resumed(
    rest: AirflowRest, ledger: Ledger, deployed: FlowManifest, options: ResumeOptions, dag_run_id: str
) -> ResumedRun:
    """Start the DAG run that resumes another run.

    Airflow's plugin is asked first. Where it is not there, or cannot read the store, the run's records are written from here, and
    a DAG run is triggered whose tasks find themselves taken over and end at once.

    Args:
        rest: The Airflow.
        ledger: The records.
        deployed: The flow as it is deployed.
        options: What to resume.
        dag_run_id: Id of the new DAG run.

    Raises:
        AirflowApiError: Airflow refused.
        CommandException: The origin, the step or a parameter does not exist.
        ObjectExists: There is such a run already.
    """
    started = StartedRun(
        deployed.dag_id,
        dag_run_id,
        airflow_run_id(deployed.dag_id, dag_run_id),
        rest.run_page(deployed.dag_id, dag_run_id),
    )
    summary = resume_by_plugin(rest, deployed.dag_id, options, dag_run_id)
    if summary is not None:
        return ResumedRun(started, summary, in_one_go=True)
    manifest = resumed_manifest(ledger, deployed, options)
    plan = plan_deployed_resume(ledger, manifest, options)
    record = store_resumed(ledger, manifest, plan, dag_run_id)
    try:
        start_run(rest, manifest.dag_id, record.parameters, dag_run_id)
    except AirflowApiError:
        drop_resumed(ledger, record)
        raise
    return ResumedRun(started, plan.summary, in_one_go=False)


def resume_by_plugin(
    rest: AirflowRest, dag_id: str, options: ResumeOptions, dag_run_id: str
) -> ResumeSummary | None:
    """Have Airflow's API server make the run, with task instances that are finished from the start.

    Returns:
        What it takes over and runs; ``None`` if the plugin is not there or cannot read the store, and nothing was done.

    Raises:
        AirflowApiError: Airflow refused.
    """
    answer = rest.resume(dag_id, {**msgspec.to_builtins(options), "dag_run_id": dag_run_id})
    return None if answer is None else msgspec.convert(answer, ResumeSummary)


def drop_resumed(ledger: Ledger, record: RunRecord) -> None:
    """Seal a resumed run that Airflow did not take, and take it out of the listings."""
    end = RunEnd("terminated", time.time(), "Airflow did not take the run that was to resume another.")
    ledger.end_run(record.flow, record.run, end)
    ledger.hide_run(record)


def store_resumed(ledger: Ledger, manifest: FlowManifest, plan: ResumePlan, dag_run_id: str) -> RunRecord:
    """Store what a resumed run is and what it takes over, before Airflow is asked, so that its first task finds it.

    Returns:
        The run's record; its parameters are the configuration to trigger the DAG with.

    Raises:
        ObjectExists: There is such a run already.
    """
    run = airflow_run_id(manifest.dag_id, dag_run_id)
    origin = ledger.run(manifest.flow_name, plan.origin)
    record = RunRecord(
        flow=manifest.flow_name,
        run=run,
        created_at=time.time(),
        user="airflow",
        parameters=plan.parameters,
        manifest=ledger.put_blob(encode(manifest)),
        code=manifest.code.digest,
        tags=manifest.tags,
        system_tags=system_tags(manifest),
        origin=plan.origin,
        airflow={"dag_id": manifest.dag_id, "dag_run_id": dag_run_id, "run_type": "manual"},
        trigger=origin.trigger,
        environments=manifest.environments,
        host=socket.gethostname(),
        python=platform.python_version(),
        provider=manifest.provider,
    )
    ledger.carry(manifest.flow_name, run, plan.carried)
    ledger.create_run(record)
    return record
