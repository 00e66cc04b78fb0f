"""A run as the store has it, in a form in which two runs of a flow can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.equality import same_value
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import ArtifactEntry, DoneRecord


@dataclass(frozen=True)
class Value:
    """An artifact: its digest, and its value, loaded and so verified."""

    digest: str
    loaded: Any

    def same(self, other: Value) -> bool:
        """Whether two artifacts have the same value."""
        return self.digest == other.digest or same_value(self.loaded, other.loaded)


@dataclass(frozen=True)
class Task:
    """What does not depend on where and when a task ran.

    `parents` are `step/task`, in the order of a join's inputs; `frames` the foreach stack as (step, variable, index, splits,
    label); `transition` as (targets, variable, splits, labels).
    """

    outcome: str
    attempt: int
    index_path: tuple[int, ...]
    parents: tuple[str, ...]
    frames: tuple[tuple[Any, ...], ...]
    transition: tuple[Any, ...] | None
    artifacts: dict[str, Value] = field(compare=False)


def read_run(store_url: str, flow: str, run: str) -> dict[str, Task]:
    """Every task of a run by `step/task`, steps in alphabetical order, tasks in that of the splits; artifacts verified."""
    store = open_store(store_url, cache=None)
    ledger, reader = Ledger(store), ArtifactReader(store)
    try:
        return {
            f"{step}/{task}": _task(ledger, reader, record)
            for step in ledger.steps(flow, run)
            for task in ledger.tasks(flow, run, step)
            if (record := ledger.newest_done(flow, run, step, task)) is not None
        }
    finally:
        store.close()


def unfinished(store_url: str, flow: str, run: str) -> list[str]:
    """Tasks that have begun and have no record."""
    store = open_store(store_url, cache=None)
    ledger = Ledger(store)
    try:
        return [
            f"{step}/{task}"
            for step in ledger.steps(flow, run)
            for task in ledger.tasks(flow, run, step)
            if ledger.newest_done(flow, run, step, task) is None
        ]
    finally:
        store.close()


def differences(expected: dict[str, Task], found: dict[str, Task]) -> list[str]:
    """How a run differs from another one, one line each; empty if it does not."""
    lines = []
    if list(expected) != list(found):
        lines.append(f"tasks: {list(expected)} became {list(found)}")
    for name in expected.keys() & found.keys():
        lines += _task_differences(name, expected[name], found[name])
    return lines


def _task_differences(name: str, expected: Task, found: Task) -> list[str]:
    lines = [] if expected == found else [f"{name}: {expected} became {found}"]
    mine, theirs = expected.artifacts, found.artifacts
    if mine.keys() != theirs.keys():
        lines.append(f"{name}: artifacts {sorted(mine)} became {sorted(theirs)}")
    lines += [
        f"{name}.{artifact}: {mine[artifact].loaded!r} became {theirs[artifact].loaded!r}"
        for artifact in mine.keys() & theirs.keys()
        if not mine[artifact].same(theirs[artifact])
    ]
    return lines


def _task(ledger: Ledger, reader: ArtifactReader, record: DoneRecord) -> Task:
    taken = record.transition
    return Task(
        outcome=record.outcome,
        attempt=record.key.attempt,
        index_path=record.index_path,
        parents=tuple(f"{parent.step}/{parent.task}" for parent in record.parents),
        frames=tuple((f.step, f.var, f.index, f.num_splits, f.label) for f in record.frames),
        transition=(taken.targets, taken.foreach, taken.num_splits, taken.labels) if taken else None,
        artifacts={name: _value(reader, name, entry) for name, entry in record.artifacts.items()},
    )


def _value(reader: ArtifactReader, name: str, entry: ArtifactEntry) -> Value:
    return Value(entry.digest, reader.load(name, entry))
