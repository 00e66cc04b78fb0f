"""What a step's task leaves in XCom: a pointer to its records, and the list that a foreach is expanded over.

Values never go there. The pointer has a key of its own, because Airflow can only map over a task's return value and
that is the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.elements import Element, Split
from airflow_mlflow_provider.runtime.request import TaskResult, UnitResult

POINTER_KEY = "pointer"
# Of the task that ends a run in a DAG of somebody else's: `Flow/run`.
PATHSPEC_KEY = "pathspec"


class Pointer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pointer of one task instance.

    Attributes:
        attempts: Pathspec of each task that ran, and its attempt.
        splits: What the tasks of a foreach split opened.
    """

    attempts: dict[str, int]
    splits: tuple[Split, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return value


def pointer(graph: FlowGraph, element: Element | None, result: UnitResult) -> Pointer:
    """The pointer of a unit that has succeeded.

    Args:
        graph: The flow's graph.
        element: What the instance was expanded with, ``None`` outside every foreach.
        result: How the unit ended.
    """
    splits = (_split(graph, element, task) for task in result.tasks if _opens_foreach(graph, task))
    return Pointer(
        attempts={task.key.pathspec: task.key.attempt for task in result.tasks}, splits=tuple(splits)
    )


def splits_of(pointers: Iterable[Any]) -> list[Split]:
    """All splits of the pointers pulled from XCom, whatever instances were skipped or failed."""
    found = (msgspec.convert(value, Pointer) for value in pointers if value is not None)
    return [split for each in found for split in each.splits]


def _opens_foreach(graph: FlowGraph, task: TaskResult) -> bool:
    return graph[task.key.step].kind == "foreach"


def _split(graph: FlowGraph, element: Element | None, task: TaskResult) -> Split:
    transition = graph[task.key.step].transition
    return Split(
        path=task.index_path,
        width=task.num_splits or 0,
        var=(transition.foreach if transition else None) or "",
        labels=task.labels,
        around=_around(graph, element, task),
    )


def _around(graph: FlowGraph, element: Element | None, task: TaskResult) -> tuple[str, ...]:
    """Labels of the frames around a split: the instance's own label, or indexes where a shard has no single one."""
    if element is None:
        return ()
    if len(element["paths"]) == 1:
        return (element["label"],)
    frames = graph[task.key.step].frames
    return tuple(
        f"{transition.foreach}[{index}]"
        for frame, index in zip(frames, task.index_path, strict=True)
        if (transition := graph[frame].transition)
    )
