"""Telling user code where it runs: ``current`` and the variables of the environment."""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

from airflow_mlflow_provider.flow.current import AirflowTask, Parallel, current
from airflow_mlflow_provider.plan.graph_info import graph_info
from airflow_mlflow_provider.plan.manifest import FlowManifest, Project
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord
from airflow_mlflow_provider.store.user_tags import user_tags


def announce(manifest: FlowManifest, ledger: Ledger, assignment: Assignment) -> None:
    """Set ``current`` and the variables for an attempt; what the run's record knows is read when it is asked for."""
    key = assignment.key

    @functools.cache
    def run() -> RunRecord:
        return ledger.run(key.flow, key.run)

    current._clear()
    current._set(
        flow_name=key.flow,
        run_id=key.run,
        step_name=key.step,
        task_id=key.task,
        pathspec=key.pathspec,
        retry_count=assignment.retry_count,
        _store=assignment.store,
        parameter_names=[spec.name for spec in manifest.parameters],
    )
    current._set_lazy("graph", lambda: graph_info(manifest))
    current._set_lazy("run", lambda: _client_object("Run", f"{key.flow}/{key.run}"))
    current._set_lazy("task", lambda: _client_object("Task", key.pathspec))
    current._set_lazy("username", lambda: run().user)
    current._set_lazy("tags", lambda: (*user_tags(ledger, run()), *run().system_tags))
    current._set_lazy("origin_run_id", lambda: run().origin)
    # The empty namespace is the global one, which `current` and the client call None.
    current._set_lazy("_namespace", lambda: _namespace(manifest, run().user))
    current._set_lazy("namespace", lambda: _namespace(manifest, run().user) or None)
    if manifest.project is not None:
        _announce_project(manifest.project)
    current._set_lazy("trigger", lambda: _trigger(run(), assignment.store))
    if manifest.production_token:
        current._set(deployer=manifest.deployer)
    if assignment.airflow:
        current._set(airflow=AirflowTask.from_record(assignment.airflow))
    os.environ.update(
        AIRFLOW_CTX_FLOW_NAME=key.flow,
        AIRFLOW_CTX_FLOW_RUN_ID=key.run,
        AIRFLOW_CTX_STEP_NAME=key.step,
        AIRFLOW_CTX_FLOW_TASK_ID=key.task,
        AIRFLOW_CTX_ATTEMPT=str(key.attempt),
    )
    if assignment.gang:
        _announce_gang(Parallel(**assignment.gang))


def gang_metadata(assignment: Assignment) -> dict[str, str]:
    """What the record of a node of a gang says of its place; empty for other tasks."""
    if not assignment.gang:
        return {}
    place = Parallel(**assignment.gang)
    return {
        "parallel-world-size": str(place.num_nodes),
        "internal_task_type": "worker" if place.node_index else "control",
    }


def _announce_gang(place: Parallel) -> None:
    current._set(parallel=place)
    os.environ.update(
        MF_PARALLEL_MAIN_IP=place.main_ip,
        MF_PARALLEL_NUM_NODES=str(place.num_nodes),
        MF_PARALLEL_NODE_INDEX=str(place.node_index),
        MF_PARALLEL_CONTROL_TASK_ID=place.control_task_id,
    )


def _announce_project(project: Project) -> None:
    current._set(
        project_name=project.name,
        branch_name=project.branch,
        is_user_branch=project.is_user_branch,
        is_production=project.is_production,
        project_flow_name=project.flow_name,
    )


def _namespace(manifest: FlowManifest, user: str) -> str:
    if manifest.namespace is not None:
        return manifest.namespace
    return f"production:{manifest.production_token}" if manifest.production_token else f"user:{user}"


def _trigger(run: RunRecord, store: str) -> Any:
    events = run.trigger.get("events")
    if not events:
        raise AttributeError(
            "current.trigger is there only in runs that @trigger or @trigger_on_finish started."
        )
    return importlib.import_module("airflow_mlflow_provider.events").Trigger(events, store)


def _client_object(kind: str, pathspec: str) -> Any:
    # The client stands above this room; naming it as text keeps the arrow pointing down.
    client = importlib.import_module("airflow_mlflow_provider.client")
    return getattr(client, kind)(pathspec, _namespace_check=False)
