"""The list that a foreach is expanded over."""

from __future__ import annotations

import json

import pytest

from airflow_mlflow_provider.plan.elements import LABEL_LENGTH, Split, elements


def test_each_element_of_a_foreach_is_one_instance_labelled_with_its_value() -> None:
    split = Split(path=(), width=2, var="fruit", labels=("apple", "kiwi"))
    assert elements([split], 512) == [
        {"paths": [[0]], "label": "fruit=apple"},
        {"paths": [[1]], "label": "fruit=kiwi"},
    ]


def test_inner_index_paths_are_in_lexicographic_order_whatever_the_order_of_the_splits() -> None:
    splits = [
        Split(path=(2,), width=1, var="lr", labels=("0.1",), around=("fold=c",)),
        Split(path=(0,), width=2, var="lr", labels=("0.1", "0.2"), around=("fold=a",)),
        Split(path=(1,), width=0, var="lr", around=("fold=b",)),
    ]
    assert elements(splits, 512) == [
        {"paths": [[0, 0]], "label": "fold=a lr=0.1"},
        {"paths": [[0, 1]], "label": "fold=a lr=0.2"},
        {"paths": [[2, 0]], "label": "fold=c lr=0.1"},
    ]


@pytest.mark.parametrize(
    ("width", "each", "sizes"), [(7, 3, [2, 2, 3]), (7, 1, [1] * 7), (7, 10, [7]), (40, 2, [4] * 10)]
)
def test_splits_share_instances_on_request_within_the_largest_number_of_them(
    width: int, each: int, sizes: list[int]
) -> None:
    found = elements([Split(path=(), width=width)], 10, each)
    assert [len(element["paths"]) for element in found] == sizes


def test_nothing_to_split_gives_an_empty_list() -> None:
    assert elements([], 512) == []
    assert elements([Split(path=(), width=0)], 512) == []


@pytest.mark.parametrize(
    ("width", "instances", "sizes"), [(3, 3, {1}), (4, 3, {1, 2}), (10, 3, {3, 4}), (9, 1, {9})]
)
def test_more_index_paths_than_instances_are_cut_into_contiguous_shards_of_nearly_equal_size(
    width: int, instances: int, sizes: set[int]
) -> None:
    found = elements([Split(path=(), width=width, var="i")], instances)
    assert len(found) == instances
    assert [path for element in found for path in element["paths"]] == [[index] for index in range(width)]
    assert {len(element["paths"]) for element in found} == sizes


def test_the_label_of_a_shard_names_its_first_and_last_value_and_its_size() -> None:
    (shard,) = elements([Split(path=(), width=3, var="x", labels=("a", "b", "c"))], 1)
    assert shard["label"] == "x=a … x=c (3)"


def test_labels_fit_what_airflow_stores() -> None:
    split = Split(path=(0,), width=4, var="v" * 200, labels=("l" * 30,) * 4, around=("w" * 200,))
    assert all(
        len(element["label"]) <= LABEL_LENGTH for element in elements([split], 2) + elements([split], 4)
    )


def test_a_foreach_without_labels_shows_indexes() -> None:
    assert [element["label"] for element in elements([Split(path=(), width=2, var="x")], 9)] == ["x=0", "x=1"]


def test_elements_are_plain_json() -> None:
    found = elements([Split(path=(1, 2), width=2, var="x", labels=("ü {{ 1 }}", "b"))], 512)
    assert json.loads(json.dumps(found)) == found


def test_a_list_that_is_made_again_says_from_which_attempt_on_its_instances_count() -> None:
    assert elements([Split((0,), 1), Split((1,), 1)], max_width=9, first=3) == [
        {"paths": [[0, 0]], "label": "index=0", "first": 3},
        {"paths": [[1, 0]], "label": "index=0", "first": 3},
    ]
