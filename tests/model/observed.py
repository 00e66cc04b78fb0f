"""What a run left in the store, in the terms of the reference model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord
from tests.flow_runs import FlowFile, FlowRun
from tests.model.flow_text import flow_text
from tests.model.reference import Expected, Task, TaskKey
from tests.model.spec import Block, Fault, steps_of


def flow_file(folder: Path, flow: Block, fault: Fault | None = None) -> FlowFile:
    """The file of a flow, in a folder with a store."""
    return FlowFile(folder, flow_text(flow, fault))


def observed(run: FlowRun, flow: Block) -> Expected:
    """What the newest run of a flow left in the store."""
    return observed_in(run.ledger, run.flow, run.run, flow)


def observed_in(ledger: Ledger, name: str, run: str, flow: Block) -> Expected:
    """What a run left in the store: the tasks that have a record, each by its newest attempt."""
    end = ledger.run_end(name, run)
    assert end is not None, f"{name}/{run} has no end"
    tasks = {
        (record.key.step, record.key.task): _task(ledger, record)
        for step, _ in steps_of(flow)
        for record in ledger.load_done(list(ledger.newest_done_keys(name, run, step).values()))
    }
    failed = {f"{name}/{run}/{step}/{task}" for (step, task), one in tasks.items() if one.outcome == "failed"}
    assert set(end.failed_tasks) == failed
    assert end.status in ("succeeded", "failed")
    return Expected(end.status, tasks)


def runs_of(run: FlowRun, flow: Block) -> dict[TaskKey, str]:
    """The run that really ran each task of the newest run of a flow."""
    return runs_in(run.ledger, run.flow, run.run, flow)


def runs_in(ledger: Ledger, name: str, run: str, flow: Block) -> dict[TaskKey, str]:
    """The run that really ran each task of a run."""
    return {
        (step, task): key.run
        for step, _ in steps_of(flow)
        for task, key in ledger.newest_done_keys(name, run, step).items()
    }


def _task(ledger: Ledger, record: DoneRecord) -> Task:
    parents = tuple((key.step, key.task) for key in record.parents if not key.step.startswith("_"))
    exception = record.exception.type.rpartition(".")[2] if record.exception else ""
    return Task(record.outcome, parents, _trail(ledger, record), exception)


def _trail(ledger: Ledger, record: DoneRecord) -> Any:
    entry = record.artifacts.get("trail")
    return None if entry is None else ArtifactReader(ledger.store).load("trail", entry)
