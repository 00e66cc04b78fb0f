"""Numbers of numbers, for previews: extremes, mean, spread, and the course of a series, from a bounded sample.

NumPy is not imported: what is described is an array, so it is there. A large array is looked at in steps, a large column from
its beginning; ``sampled`` tells how many values were.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

_EXACT = 10_000
_SAMPLE = 2_000
_POINTS = 24
_FEWEST_POINTS = 6
_MOST_LISTED = 256

Described = dict[str, Any]


def array_numbers(value: Any) -> Described:
    """``min``, ``max``, ``mean``, ``std``, ``nulls`` and ``spark`` of a numeric array; nothing for other kinds."""
    if value.dtype.kind not in "biuf" or not value.size:
        return {}
    step = 1 if value.size <= _EXACT else math.ceil(value.size / _SAMPLE)
    sample = value.flat[::step] if step > 1 or value.ndim != 1 else value
    described = _statistics(sample, value.dtype.kind)
    if step > 1:
        described["sampled"] = sample.size
    if value.ndim == 1:
        described |= course(value)
    return described


def column_numbers(column: Any) -> list[Any] | None:
    """``[min, mean, max, missing]`` of the beginning of a column, an array; ``None`` if it is not numeric."""
    if column.dtype.kind not in "biuf" or not column.size:
        return None
    found = _statistics(column[:_SAMPLE], column.dtype.kind)
    return [found.get("min"), found.get("mean"), found.get("max"), found.get("nulls", 0)]


def course(value: Any) -> Described:
    """``spark``: the course of a series of numbers, in a few points."""
    length = len(value)
    if length < _FEWEST_POINTS:
        return {}
    step = max(1, math.ceil(length / _POINTS))
    points = [float(value[index]) for index in range(0, length, step)]
    finite = [float(f"{point:.4g}") for point in points if math.isfinite(point)]
    return {"spark": finite} if len(finite) >= _FEWEST_POINTS else {}


def list_numbers(value: Sequence[Any]) -> Described:
    """The same for a short list of plain numbers."""
    if not _FEWEST_POINTS <= len(value) <= _MOST_LISTED or not all(
        type(one) in (int, float) for one in value
    ):
        return {}
    finite = [one for one in value if math.isfinite(one)]
    if not finite:
        return {}
    mean = math.fsum(finite) / len(finite)
    return {"min": _exact(min(finite)), "max": _exact(max(finite)), "mean": _short(mean), **course(value)}


def _statistics(sample: Any, kind: str) -> Described:
    numpy = sys.modules["numpy"]
    if kind == "b":
        return {"mean": _short(float(sample.mean()))}
    finite = sample if kind in "iu" else sample[numpy.isfinite(sample)]
    described: Described = {"nulls": int(sample.size - finite.size)} if finite.size < sample.size else {}
    if finite.size:
        wide = finite.astype("float64")
        described["min"], described["max"] = _exact(finite.min().item()), _exact(finite.max().item())
        described["mean"], described["std"] = _short(float(wide.mean())), _short(float(wide.std()))
    return described


def _exact(number: Any) -> Any:
    is_safe = isinstance(number, float) or number.bit_length() <= 53
    return number if is_safe else str(number)


def _short(number: float) -> Any:
    return float(f"{number:.6g}") if math.isfinite(number) else None
