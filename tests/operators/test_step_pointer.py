"""What tasks leave in XCom."""

from __future__ import annotations

import json

from airflow_mlflow_provider.operators.pointer import pointer, splits_of
from airflow_mlflow_provider.plan.elements import Element, elements
from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.runtime.request import TaskResult, UnitResult
from airflow_mlflow_provider.store.records import AttemptKey
from tests.plan.shapes import SHAPES

GRAPH = SHAPES["nested_foreach"]


def split(path: tuple[int, ...], *labels: str) -> TaskResult:
    """The result of a task of the inner split."""
    key = AttemptKey("F", "r", "outer", task_id(path), 1)
    return TaskResult(key, "succeeded", path, targets=("inner",), num_splits=len(labels), labels=labels)


def test_a_pointer_holds_attempts_and_what_a_split_opened_and_no_values() -> None:
    found = pointer(GRAPH, Element(paths=[[2]], label="items=c"), UnitResult((split((2,), "x", "y"),)))
    assert json.loads(json.dumps(found.to_json())) == {
        "attempts": {"F/r/outer/0002": 1},
        "splits": [{"path": [2], "width": 2, "var": "items", "labels": ["x", "y"], "around": ["items=c"]}],
    }


def test_inner_instances_are_labelled_with_the_values_of_all_frames() -> None:
    found = pointer(GRAPH, Element(paths=[[2]], label="items=c"), UnitResult((split((2,), "x"),)))
    assert elements(splits_of([found.to_json()]), 9) == [{"paths": [[2, 0]], "label": "items=c items=x"}]


def test_in_a_shard_the_outer_frame_is_told_by_its_index() -> None:
    shard = Element(paths=[[0], [1]], label="items=a … items=b (2)")
    found = pointer(GRAPH, shard, UnitResult((split((0,), "x"), split((1,), "y"))))
    assert [element["label"] for element in elements(splits_of([found.to_json()]), 9)] == [
        "items[0] items=x",
        "items[1] items=y",
    ]


def test_skipped_and_failed_instances_leave_nothing() -> None:
    assert splits_of([None]) == []
    assert splits_of([]) == []


def test_a_task_that_does_not_split_leaves_its_attempt_only() -> None:
    task = TaskResult(AttemptKey("F", "r", "end", "0", 3), "succeeded")
    assert pointer(GRAPH, None, UnitResult((task,))).to_json() == {"attempts": {"F/r/end/0": 3}}
