"""Resuming a run in Airflow: a new DAG run whose tasks find what the origin has finished, and return at once."""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Mapping
from typing import Any

from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.runs import StartedRun, check_conf, start_run
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.plan.run_tags import system_tags
from airflow_mlflow_provider.runtime.resume import ResumePlan, ResumeRequest, plan_resume_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord


def plan_deployed_resume(
    ledger: Ledger, manifest: FlowManifest, origin: str, step: str | None, values: Mapping[str, Any]
) -> ResumePlan:
    """What a resumed run of a deployed flow would take over.

    Args:
        ledger: The records.
        manifest: The flow as it is deployed now.
        origin: Run id of the origin, of a local run or of an Airflow run.
        step: Step to run again with all that follows it, ``None`` for what has not finished only.
        values: Parameters that differ from the origin's.

    Raises:
        CommandException: The origin, the step or a parameter does not exist.
    """
    check_conf(manifest, values)
    changed = frozenset(spec.attribute for spec in manifest.parameters if spec.name in values)
    return plan_resume_of(ledger, manifest.graph, ResumeRequest(origin, step, changed))


def start_resumed(
    rest: AirflowRest,
    ledger: Ledger,
    manifest: FlowManifest,
    plan: ResumePlan,
    values: Mapping[str, Any],
    dag_run_id: str,
) -> StartedRun:
    """Start the DAG run that resumes another run.

    Raises:
        AirflowApiError: Airflow refused.
        ObjectExists: There is such a run already.
    """
    record = store_resumed(ledger, manifest, plan, values, dag_run_id)
    return start_run(rest, manifest.dag_id, record.parameters, dag_run_id)


def store_resumed(
    ledger: Ledger, manifest: FlowManifest, plan: ResumePlan, values: Mapping[str, Any], dag_run_id: str
) -> RunRecord:
    """Store what a resumed run is and what it takes over, before Airflow is asked, so that its first task finds it.

    Returns:
        The run's record; its parameters are the configuration to trigger the DAG with.

    Raises:
        ObjectExists: There is such a run already.
    """
    run = airflow_run_id(manifest.dag_id, dag_run_id)
    origin = ledger.run(manifest.flow_name, plan.origin)
    names = {spec.name for spec in manifest.parameters}
    record = RunRecord(
        flow=manifest.flow_name,
        run=run,
        created_at=time.time(),
        user="airflow",
        parameters={n: value for n, value in origin.parameters.items() if n in names} | dict(values),
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
