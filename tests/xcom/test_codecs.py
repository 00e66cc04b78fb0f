from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from airflow_mlflow_provider.xcom import codecs


def through(value: Any) -> Any:
    encoded = codecs.encode(codecs.plant(value))
    data = b"".join(bytes(part) for part in encoded.parts)
    assert len(data) == encoded.size
    return codecs.decode(memoryview(bytearray(data)))


ARRAYS = {
    "floats": np.arange(12, dtype="f8").reshape(3, 4),
    "fortran order": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "strided": np.arange(20)[::2],
    "empty": np.empty((0, 3), "f4"),
    "scalar shape": np.array(3.5),
    "booleans": np.array([True, False]),
    "dates": np.array(["2026-01-01", "2026-01-02"], "M8[ns]"),
    "texts": np.array(["a", "läng"], "U4"),
    "structured": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "complex": np.array([1 + 2j]),
    "big endian": np.array([1, 2], ">i4"),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_an_array_comes_back_with_its_dtype_and_shape_and_may_be_written_to(array: Any) -> None:
    back = through(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    if back.size:
        back[...] = back[...]


def test_frames_come_back_with_index_columns_and_dtypes() -> None:
    frame = pd.DataFrame(
        {"x": [1.5, None, 2.0], "s": ["a", None, "c"], "c": pd.Categorical(["u", "v", "u"]), "n": [1, 2, 3]},
        index=pd.date_range("2026-01-01", periods=3, name="day"),
    )
    pd.testing.assert_frame_equal(through(frame), frame, check_freq=False)
    pd.testing.assert_frame_equal(through(pd.DataFrame()), pd.DataFrame())
    for name in ("y", None):
        series = pd.Series([1, 2, 3], index=["a", "b", "c"], name=name)
        pd.testing.assert_series_equal(through(series), series)


def test_polars_and_arrow_come_back_equal() -> None:
    frame = pl.DataFrame({"a": [1, None, 3], "b": ["x", "y", None]})
    assert through(frame).equals(frame)
    assert through(frame["a"]).equals(frame["a"], check_names=True)
    table = pa.table({"a": [1, 2], "b": [[1], [2, 3]]})
    assert through(table).equals(table)
    batch = pa.RecordBatch.from_pydict({"a": [1, 2]})
    assert through(batch).equals(batch)
    empty = pa.RecordBatch.from_pylist([], schema=batch.schema)
    assert through(empty).schema == empty.schema


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        2**80,
        1.5,
        "text \x00 ünïcode",
        b"\x00\xff",
        bytearray(b"abc"),
        b"",
        [],
        {},
        (1, (2, [3])),
        {"a": (1, 2), "b": [b"x", {"c": None}]},
        {1: "one", (2, 3): "pair", None: 0},
        {"__leaf__": "array", "of": [0]},
        {"__artifact__": {"digest": "x"}},
        {"deep": {"__classname__": "os.system", "__data__": "x"}},
        [0.1, 1e22, 5e-324, 1.7976931348623157e308, 2, -(2**63), 2**64],
        [1.5, float("inf"), None],
        {"x": -float("inf"), "y": [True, 0.0]},
        ["lone \ud800 surrogate"],
        datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
        datetime.timedelta(seconds=5),
        decimal.Decimal("1.10"),
        {3, 1, 2},
    ],
)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    back = through(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value", [[1.0, float("nan")], {"x": [float("nan")]}, float("nan"), [2, float("nan"), "x"]]
)
def test_not_a_number_stays_what_it_is(value: Any) -> None:
    assert repr(through(value)) == repr(value)


def test_arrays_are_found_at_any_depth() -> None:
    value = {"model": [{"weights": np.ones(3), "name": "a"}, (np.zeros(2), b"raw")]}
    back = through(value)
    np.testing.assert_array_equal(back["model"][0]["weights"], np.ones(3))
    np.testing.assert_array_equal(back["model"][1][0], np.zeros(2))
    assert back["model"][1][1] == b"raw"


class Opaque:
    """Has no safe form."""


@pytest.mark.parametrize(
    "value", [Opaque(), [Opaque()], np.array([Opaque()], dtype=object), pd.DataFrame({"x": [Opaque()]}), len]
)
def test_what_has_no_safe_form_is_refused(value: Any) -> None:
    with pytest.raises(codecs.Unsupported):
        codecs.encode(codecs.plant(value))


def test_what_a_database_would_refuse_does_not_fit_it() -> None:
    assert codecs.fits_database({"a": "ü"}, 100)
    for value in (float("nan"), float("inf"), "\x00", "\ud800", "x" * 200):
        assert not codecs.fits_database({"a": value}, 100)
