"""The metadata of a task: facts about an attempt and its run under the names that Metaflow gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.store.records import AttemptKey, BeginRecord, DoneRecord, RunRecord

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.run import Run

_STORE_TYPES = {"file": "local", "memory": "local", "az": "azure"}
_AIRFLOW_PREFIX = "airflow-"
_AIRFLOW_NAMES = ("dag_id", "dag_run_id", "task_id", "map_index", "try_number", "log_url", "logical_date")


def task_facts(
    run: Run, key: AttemptKey, begun: BeginRecord | None, record: DoneRecord | None
) -> dict[str, Any]:
    """The metadata of an attempt, by name.

    Args:
        run: The run that shows the task.
        key: The attempt, in the run that ran it.
        begun: How it started.
        record: How it ended, ``None`` while it has not.
    """
    facts: dict[str, Any] = dict(_of_run(run))
    facts |= {_airflow_name(name): value for name, value in (begun.metadata if begun else {}).items()}
    facts["attempt"] = str(key.attempt)
    if key.run != run.id:
        facts["origin-run-id"], facts["origin-task-id"] = key.run, key.task
    if record is None:
        return facts
    facts |= record.metadata
    facts["attempt-done"] = str(record.key.attempt)
    facts["attempt_ok"] = str(record.finished)
    if record.frames:
        facts["foreach-stack"] = [
            f"{frame.var}={frame.label}" if frame.var else str(frame.index) for frame in record.frames
        ]
        # Named after the first step of the body, as Metaflow does.
        splits = ((run.manifest.graph[frame.step].transition, frame.index) for frame in record.frames)
        facts["foreach-execution-path"] = ",".join(f"{s.targets[0]}:{index}" for s, index in splits if s)
    return facts


def _of_run(run: Run) -> Iterator[tuple[str, str]]:
    record: RunRecord = run._record
    scheme = run._store.partition("://")[0]
    yield "ds-type", _STORE_TYPES.get(scheme, scheme)
    yield "ds-root", run._store
    yield "user", record.user
    yield "python", record.python
    yield "script-name", run.manifest.code.script
    if record.code:
        yield "code-package", record.code
    if record.origin:
        yield "origin-run-id", record.origin
    if record.trigger.get("events"):
        yield "execution-triggers", msgspec.json.encode(record.trigger["events"]).decode()


def _airflow_name(name: str) -> str:
    return f"{_AIRFLOW_PREFIX}{name.replace('_', '-')}" if name in _AIRFLOW_NAMES else name
