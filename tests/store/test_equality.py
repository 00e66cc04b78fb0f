"""`same_value` decides whether branches agree."""

import dataclasses
import datetime
import decimal
import enum
from collections import OrderedDict, defaultdict, deque
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlflow_provider.store.equality import same_value
from tests.store.values import plain_values

NAN = float("nan")


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Point:
    x: float
    tags: list[str]


class Pair(NamedTuple):
    a: int
    b: Any


class Opaque:
    def __eq__(self, other: object) -> bool:
        raise AssertionError("user code must not run")

    __hash__ = object.__hash__


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


SAME: list[tuple[Any, Any]] = [
    (NAN, NAN),
    ([NAN, 1.0], [float("-nan"), 1.0]),
    ({"a": {1, 2}, "b": [3]}, {"b": [3], "a": {2, 1}}),
    ({(1, "a"), (2, "b")}, {(2, "b"), (1, "a")}),
    ({NAN: 1}, {float("nan"): 1}),
    (frozenset({frozenset({1})}), frozenset({frozenset({1})})),
    (np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3)),
    (np.array([1.0, NAN]), np.array([1.0, NAN])),
    (np.array([{"a": 1}, None], dtype=object), np.array([{"a": 1}, None], dtype=object)),
    (np.array(["2020-01-01", "NaT"], dtype="M8[D]"), np.array(["2020-01-01", "NaT"], dtype="M8[D]")),
    (np.float64("nan"), np.float64("nan")),
    (pd.DataFrame({"a": [1.0, NAN]}), pd.DataFrame({"a": [1.0, NAN]})),
    (pd.Series([1, 2], name="n"), pd.Series([1, 2], name="n")),
    (pa.table({"a": [1, None]}), pa.table({"a": [1, None]})),
    (Point(1.0, ["x"]), Point(1.0, ["x"])),
    (Pair(1, [NAN]), Pair(1, [NAN])),
    (Color.RED, Color.RED),
    (OrderedDict(a=1, b=2), OrderedDict(a=1, b=2)),
    (defaultdict(list, a=[1]), defaultdict(list, a=[1])),
    (deque([1, 2], 5), deque([1, 2], 5)),
    (datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),) * 2,
    (decimal.Decimal("NaN"), decimal.Decimal("NaN")),
    (complex(NAN, 1), complex(NAN, 1)),
    (cyclic(), cyclic()),
]
DIFFERENT: list[tuple[Any, Any]] = [
    (1, 1.0),
    (1, True),
    ({1}, {True}),
    ({1: "a"}, {1.0: "a"}),
    ([1, 2], (1, 2)),
    ([1, 2], [1]),
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": 1}, {"a": 2}),
    ({(1, True)}, {(1, 1)}),
    (np.arange(3), np.arange(3.0)),
    (np.zeros((2, 3)), np.zeros((3, 2))),
    (np.zeros(1), np.zeros(())),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    (pd.Series([1], name="a"), pd.Series([1], name="b")),
    (pa.table({"a": [1]}), pa.table({"a": [2]})),
    (Point(1.0, ["x"]), Point(1.0, ["y"])),
    (Color.RED, Color.BLUE),
    (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    (deque([1], 5), deque([1], 6)),
    (defaultdict(list), defaultdict(set)),
    (Opaque(), Opaque()),
    ([Opaque()], [Opaque()]),
    ({Opaque()}, {Opaque()}),
    (lambda: 1, lambda: 1),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_values_that_are_the_same(a: Any, b: Any) -> None:
    assert same_value(a, b)
    assert same_value([{"x": a}], [{"x": b}])


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_values_that_differ_or_cannot_be_compared(a: Any, b: Any) -> None:
    assert not same_value(a, b)
    assert not same_value([{"x": a}], [{"x": b}])


def test_one_object_is_the_same_as_itself_whatever_its_type() -> None:
    value = Opaque()
    assert same_value(value, value)
    assert same_value([value], [value])


def test_an_extra_attribute_makes_dataclasses_differ() -> None:
    one, other = Point(1.0, []), Point(1.0, [])
    other.extra = 1  # type: ignore[attr-defined]
    assert not same_value(one, other)


def test_values_nested_too_deeply_to_compare_are_not_taken_for_the_same() -> None:
    one: list[Any] = []
    other: list[Any] = []
    for _ in range(100_000):
        one, other = [one], [other]
    assert not same_value(one, other)


@given(st.data())
def test_a_copy_is_the_same(data: st.DataObject) -> None:
    import copy

    value = data.draw(plain_values)
    assert same_value(value, copy.deepcopy(value))


@given(plain_values, plain_values)
def test_what_is_the_same_one_way_is_the_same_the_other_way(a: Any, b: Any) -> None:
    assert same_value(a, b) == same_value(b, a)
