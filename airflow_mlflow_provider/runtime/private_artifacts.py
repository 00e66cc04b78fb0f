"""Private artifacts that Metaflow stores with each task and that follow here from its record.

While a task runs there is no record of it yet: :func:`running_artifacts` says what its step sees.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_mlflow_provider.plan.graph_info import graph_info
from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.store.records import DoneRecord, Frame


@dataclass(frozen=True)
class ForeachFrame:
    """A frame of ``_foreach_stack``."""

    step: str
    var: str | None
    num_splits: int
    index: int
    value: str


def private_names() -> frozenset[str]:
    """Names of the artifacts that follow from a record."""
    return frozenset(_MAKERS)


def private_artifact(name: str, record: DoneRecord, manifest: FlowManifest) -> Any:
    """The private artifact of a task.

    Raises:
        KeyError: There is none of this name.
    """
    return _MAKERS[name](record, manifest)


def recorded_artifacts(record: DoneRecord, manifest: FlowManifest) -> Mapping[str, Callable[[], Any]]:
    """Those of a finished task, by name; each is made when it is read."""
    return {name: functools.partial(maker, record, manifest) for name, maker in _MAKERS.items()}


def running_artifacts(
    assignment: Assignment, frames: Sequence[Frame], manifest: FlowManifest
) -> Mapping[str, Callable[[], Any]]:
    """The private artifacts that a running step can read of itself, by name; each is made when it is read."""
    step, iteration = assignment.key.step, assignment.iteration
    return {
        "_current_step": lambda: step,
        "_graph_info": lambda: graph_info(manifest),
        "_foreach_stack": lambda: _frames(frames, manifest),
        "_iteration_stack": lambda: [] if iteration is None else [iteration],
        "_task_ok": lambda: None,
        "_success": lambda: False,
        "_exception": lambda: None,
        "_catch_exception": lambda: None,
        "_transition": lambda: None,
    }


def _frames(frames: Sequence[Frame], manifest: FlowManifest) -> list[ForeachFrame]:
    """Each under the name of the step that the split opens, as Metaflow has it."""
    opened = [manifest.graph[f.step].out_funcs[0] for f in frames]
    return [
        ForeachFrame(step, f.var, f.num_splits, f.index, f.label)
        for step, f in zip(opened, frames, strict=True)
    ]


def _stack(record: DoneRecord, manifest: FlowManifest) -> list[ForeachFrame]:
    return _frames(record.frames, manifest)


def _transition(record: DoneRecord, _: FlowManifest) -> tuple[list[str], str | None] | None:
    taken = record.transition
    return None if taken is None else (list(taken.targets), taken.foreach)


def _exception(record: DoneRecord, _: FlowManifest) -> str | None:
    return None if record.exception is None else f"{record.exception.type}: {record.exception.message}"


def _is_gang_split(record: DoneRecord, manifest: FlowManifest) -> bool:
    return manifest.graph[record.key.step].kind == "parallel"


def _gang_size(record: DoneRecord, manifest: FlowManifest) -> int | None:
    taken = record.transition
    return taken.num_splits if taken is not None and _is_gang_split(record, manifest) else None


def _is_control(record: DoneRecord, _: FlowManifest) -> bool:
    return record.metadata.get("internal_task_type") == "control"


def _gang_tasks(record: DoneRecord, manifest: FlowManifest) -> list[str]:
    if not _is_control(record, manifest):
        return []
    key, frame = record.key, record.frames[-1]
    places = (task_id((*record.index_path[:-1], index)) for index in range(frame.num_splits))
    return [f"{key.run}/{key.step}/{task}" for task in places]


_MAKERS: dict[str, Callable[[DoneRecord, FlowManifest], Any]] = {
    "_foreach_stack": _stack,
    "_foreach_var": lambda record, _: record.transition.foreach if record.transition else None,
    "_foreach_num_splits": lambda record, _: record.transition.num_splits if record.transition else None,
    "_foreach_values": lambda record, _: list(record.transition.labels) if record.transition else None,
    "_iteration_stack": lambda record, _: [] if record.iteration is None else [record.iteration],
    "_transition": _transition,
    "_current_step": lambda record, _: record.key.step,
    "_task_ok": lambda record, _: record.finished,
    "_success": lambda record, _: record.outcome == "succeeded",
    "_exception": _exception,
    "_catch_exception": lambda record, _: _exception(record, _) if record.outcome == "caught" else None,
    "_control_mapper_tasks": _gang_tasks,
    "_control_task_is_mapper_zero": _is_control,
    "_parallel_ubf_iter": _gang_size,
    "_unbounded_foreach": _is_gang_split,
    "_graph_info": lambda _, manifest: graph_info(manifest),
}
