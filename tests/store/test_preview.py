"""Previews are small, quick, JSON, and never an error."""

import base64
import datetime
import json
import struct
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given

from airflow_mlflow_provider.store.preview import preview_of
from tests.store.values import plain_values


class Hostile:
    """A value whose own code must not run."""

    def __repr__(self) -> str:
        raise AssertionError("user code must not run")

    __str__ = __repr__

    def __len__(self) -> int:
        raise AssertionError("user code must not run")


class HostileList(list[int]):
    def __len__(self) -> int:
        raise AssertionError("user code must not run")


EXAMPLES: list[tuple[Any, dict[str, Any] | None]] = [
    (7, {"repr": "7"}),
    (None, {"repr": "None"}),
    (2.5, {"repr": "2.5"}),
    (float("nan"), {"repr": "nan"}),
    ("grüße", {"len": 5, "repr": "'grüße'"}),
    (b"ab", {"len": 2, "repr": "b'ab'"}),
    ([1, "a", None, 2.5], {"len": 4, "head": [1, "a", None, 2.5]}),
    ([[1, 2], {"a": 1}, Hostile()], {"len": 3, "head": ["[1, 2]", "{a: 1}", "Hostile"]}),
    ({"a": 1, 2: [3]}, {"len": 2, "head": [["a", 1], [2, "[3]"]]}),
    ((float("inf"), 2**60), {"len": 2, "head": ["inf", str(2**60)]}),
    (
        np.arange(6.0).reshape(2, 3),
        {
            "shape": [2, 3],
            "dtype": "float64",
            "len": 6,
            "head": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            "min": 0.0,
            "max": 5.0,
            "mean": 2.5,
            "std": 1.70783,
        },
    ),
    (np.array([Hostile()], dtype=object), {"shape": [1], "dtype": "object", "len": 1}),
    (np.float32(1.5), {"repr": "1.5", "dtype": "float32"}),
    (
        pd.DataFrame({"a": [1, 2], "b": [0.5, None]}),
        {
            "shape": [2, 2],
            "len": 2,
            "columns": [["a", "int64"], ["b", "float64"]],
            "head": [[1.0, 0.5], [2.0, "nan"]],
            "stats": [[1, 1.5, 2, 0], [0.5, 0.5, 0.5, 1]],
        },
    ),
    (
        pd.Series([1, 2], name="s"),
        {
            "len": 2,
            "dtype": "int64",
            "name": "s",
            "head": [1, 2],
            "min": 1,
            "max": 2,
            "mean": 1.5,
            "std": 0.5,
        },
    ),
    (
        pa.table({"a": [1, None]}),
        {
            "shape": [2, 1],
            "len": 2,
            "columns": [["a", "int64"]],
            "head": [[1], [None]],
            "stats": [[1.0, 1.0, 1.0, 1]],
        },
    ),
    (
        pl.DataFrame({"a": [1, 2], "b": ["x", None]}),
        {
            "shape": [2, 2],
            "len": 2,
            "columns": [["a", "Int64"], ["b", "String"]],
            "head": [[1, "x"], [2, None]],
            "stats": [[1, 1.5, 2, 0], None],
        },
    ),
    (
        [{"a": [1]}, {"b": {}}, (Hostile(),)],
        {"len": 3, "head": ["{a: list of 1}", "{b: dict of 0}", "(Hostile)"]},
    ),
    (
        [1, 2, 3, 4, 5, 9],
        {
            "len": 6,
            "head": [1, 2, 3, 4, 5, 9],
            "min": 1,
            "max": 9,
            "mean": 4.0,
            "spark": [1.0, 2.0, 3.0, 4.0, 5.0, 9.0],
        },
    ),
    (Hostile(), None),
    (HostileList([1]), None),
    (lambda: 1, None),
]


@pytest.mark.parametrize(("value", "expected"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_values_are_described(value: Any, expected: dict[str, Any] | None) -> None:
    assert preview_of(value) == expected


HUGE: list[Any] = [
    10**100_000,
    "x" * 50_000_000,
    [["deep"] * 1000] * 1_000_000,
    dict.fromkeys(range(1000), "y" * 10000),
    np.zeros((1000, 1000, 10)),
    pd.DataFrame(np.zeros((100_000, 200)), columns=["c" * 300 + str(number) for number in range(200)]),
    pa.table({"🙂" * 100 + str(number): ["text" * 1000] * 100 for number in range(100)}),
    ["🙂" * 1000] * 100,
    {"k" * 1000: "\0" * 1000},
    np.array(["u" * 10_000] * 100),
    np.zeros(3, dtype=[("field" * 100 + str(number), "f8") for number in range(100)]),
    [datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)] * 1000,
    pd.Series(["word" * 1000] * 100, name="n" * 1000),
]


@pytest.mark.parametrize("value", HUGE, ids=lambda value: type(value).__name__)
def test_previews_of_huge_values_are_small(value: Any) -> None:
    described = preview_of(value)
    assert described is not None
    assert len(described.pop("image", "")) <= 3000
    assert len(msgspec.json.encode(described)) <= 2048


@given(plain_values)
def test_any_plain_value_has_a_small_json_preview(value: Any) -> None:
    described = preview_of(value)
    text = json.dumps(described, allow_nan=False)
    assert len(msgspec.json.encode(described)) <= 2048
    assert json.loads(text) == described


def pixels(preview: dict[str, Any]) -> tuple[int, int]:
    """Width and height of the picture in a preview, from its PNG header."""
    data = base64.b64decode(preview["image"].removeprefix("data:image/png;base64,"))
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (np.linspace(0, 1, 200 * 100).reshape(200, 100), (15, 29)),
        (np.zeros((64, 64), "uint8"), (32, 32)),
        (np.full((480, 640, 3), 7, "uint8"), (24, 18)),
        (np.eye(8, dtype=bool), (8, 8)),
        (np.where(np.eye(30) > 0, np.nan, np.inf), (30, 30)),
    ],
)
def test_matrices_and_images_have_a_small_picture(value: Any, size: tuple[int, int]) -> None:
    described = preview_of(value)
    assert described is not None
    assert pixels(described) == size


@pytest.mark.parametrize("shape", [(4, 4), (1000, 100), (16, 16, 7), (16,), (2, 16, 16, 3)])
def test_what_is_no_picture_has_none(shape: tuple[int, ...]) -> None:
    described = preview_of(np.ones(shape))
    assert described is not None
    assert "image" not in described


def test_a_large_array_is_looked_at_in_steps_and_a_series_has_a_course() -> None:
    large = preview_of(np.arange(1_000_000.0))
    assert large is not None
    assert large["sampled"] == 2000
    assert large["max"] > 990_000
    assert large["spark"] == sorted(large["spark"])
    assert 6 <= len(large["spark"]) <= 24
    exact = preview_of(np.array([1, 2, 3, np.nan, np.inf]))
    assert exact is not None
    assert (exact["min"], exact["max"], exact["nulls"]) == (1.0, 3.0, 2)
