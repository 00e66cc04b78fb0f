"""Spin: one step again, on the inputs of a task that has run, in this process.

The attempt is an ordinary one of the task runner; only where it reads and writes differs. It reads the records and artifacts of
the past run, and writes to a folder of its own (:mod:`airflow_mlflow_provider.store._overlay`), so nothing of the past run changes. It runs in the
process that was called, not in a child: a debugger has the terminal, and nothing has to start.
"""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, ROOT_TASK_ID, local_run_id
from airflow_mlflow_provider.plan.manifest import encode
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.context import FlowContext
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.run_members import run_members
from airflow_mlflow_provider.runtime.task import AttemptSettings, run_task
from airflow_mlflow_provider.store._overlay import UNDERLAY, OverlayStore
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import (
    AttemptKey,
    Carried,
    CarriedTasks,
    DoneRecord,
    RunEnd,
    RunRecord,
    RunStatus,
)

HONOURED = frozenset({"card", "environment", "secrets", "timeout"})


class SpinRequest(msgspec.Struct, frozen=True):
    """What to spin.

    Attributes:
        origin: The task whose inputs are used.
        folder: Where the result goes.
        user: Who spins.
        decorators: Whether the step's decorators apply: those that are honoured, and the user's own.
        artifacts: Values that stand in for inherited artifacts, by name.
    """

    origin: DoneRecord
    folder: Path
    user: str
    decorators: bool = True
    artifacts: Mapping[str, Any] = {}


def spin(context: FlowContext, below: Ledger, request: SpinRequest) -> TaskResult:
    """Run the step of a past task again.

    Args:
        context: The flow as it is now.
        below: The records of the past run.
        request: What to spin.

    Returns:
        How the attempt ended; its record is in the folder.

    Raises:
        CommandException: The step is a node of a gang.
        StoreException: The record could not be written.
    """
    origin, manifest = request.origin, context.manifest
    if manifest.graph[origin.key.step].decorator("parallel") is not None:
        raise CommandException(
            f"The step {origin.key.step} is @parallel: one node of a gang cannot run alone.",
            fix="Resume the run from this step instead.",
            where={"flow": origin.key.flow, "step": origin.key.step},
        )
    ledger = Ledger(spin_store(request.folder, below))
    run = _create_run(context, ledger, request)
    key = AttemptKey(origin.key.flow, run, origin.key.step, origin.key.task, 0)
    assignment = Assignment(
        key=key,
        store=ledger.store.url,
        index_path=origin.index_path,
        iteration=origin.iteration,
        parents=origin.parents,
        opened_by=_opener(context, below, origin),
        cache=False,
    )
    settings = AttemptSettings(
        decorators=HONOURED if request.decorators else frozenset(),
        user_decorators=request.decorators,
        artifacts=request.artifacts,
    )
    result = run_task(context, ledger, assignment, lambda secrets: None, settings)
    status: RunStatus = "failed" if result.outcome == "failed" else "succeeded"
    ledger.end_run(
        key.flow, run, RunEnd(status, time.time(), "", (key.pathspec,) if status == "failed" else ())
    )
    return result


def spin_store(folder: Path, below: Ledger) -> Store:
    """What a spin reads and writes: a folder over the store of the past run.

    Args:
        folder: Where what is written goes.
        below: The records of the past run.
    """
    upper = open_store(folder.resolve().as_uri())
    upper.put(UNDERLAY, below.store.url.encode())
    return OverlayStore(upper, below.store)


def _create_run(context: FlowContext, ledger: Ledger, request: SpinRequest) -> str:
    key = request.origin.key
    past = ledger.run(key.flow, key.run)
    now = datetime.datetime.now(datetime.timezone.utc)
    members = run_members(ledger, key.flow, key.run).key
    record = RunRecord(
        flow=key.flow,
        run=f"spin-{local_run_id(now, random.getrandbits(20))}",
        created_at=now.timestamp(),
        user=request.user,
        parameters=past.parameters,
        manifest=ledger.put_blob(encode(context.manifest)),
        system_tags=(f"user:{request.user}", "runtime:spin"),
        origin=key.run,
        trigger=past.trigger,
        provider=context.manifest.provider,
        environments=context.manifest.environments,
    )
    carried = Carried({PARAMETERS_STEP: (CarriedTasks(members.run, members.attempt, (ROOT_TASK_ID,)),)})
    ledger.carry(key.flow, record.run, carried)
    ledger.create_run(record)
    return record.run


def _opener(context: FlowContext, below: Ledger, origin: DoneRecord) -> AttemptKey | None:
    """The split that a join without inputs closes: only it knows the foreach stack."""
    split = context.manifest.graph[origin.key.step].matching_split
    if origin.parents or split is None:
        return None
    record = below.newest_done(origin.key.flow, origin.key.run, split, origin.key.task)
    return record.key if record is not None else None
