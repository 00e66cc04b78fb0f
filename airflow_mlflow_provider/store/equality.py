"""Whether two values are the same, for merging branches whose artifacts have different digests.

Containers are compared member by member, sets by membership, NaN is the same as NaN, arrays by dtype, shape and
content, frames and tables by their own equality, dataclasses by their fields. Values of different types are different:
``1``, ``1.0`` and ``True`` are three values. For all other types there is no telling without running their code; they
are only the same if they are one object.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

# Types whose own == is exact and runs no user code.
_EXACT = frozenset(
    {bool, int, str, bytes, bytearray, range, slice, type(None)}
    | {datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone}
    | {fractions.Fraction, uuid.UUID}
    | {pathlib.PurePosixPath, pathlib.PosixPath, pathlib.PureWindowsPath}
)
_Seen = set[tuple[int, int]]


def same_value(a: Any, b: Any) -> bool:
    """Whether two values are the same; ``False`` where that cannot be known."""
    try:
        return _same(a, b, set())
    except (RecursionError, TypeError, ValueError):
        # Nested too deeply, or members that a library's equality does not cope with.
        return False


def _same(a: Any, b: Any, seen: _Seen) -> bool:
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind in _EXACT:
        return bool(a == b)
    if kind in _NUMBERS:
        return _NUMBERS[kind](a, b)
    if isinstance(a, enum.Enum):
        return False
    # Values may contain themselves; a pair that is being compared already is taken for the same.
    pair = (id(a), id(b))
    if pair in seen:
        return True
    seen.add(pair)
    compare = _CONTAINERS.get(kind)
    if compare is not None:
        return compare(a, b, seen)
    return _same_structure(a, b, kind, seen)


def _same_structure(a: Any, b: Any, kind: type, seen: _Seen) -> bool:
    library = _LIBRARIES.get((kind.__module__.partition(".")[0], kind.__name__))
    if library is not None:
        return library(a, b, seen)
    if kind.__module__ == "numpy" and hasattr(a, "dtype") and hasattr(a, "tobytes"):
        return bool(a.dtype == b.dtype) and (bool(a == b) or bool(a != a and b != b))  # noqa: PLR0124 - NaN
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return _attributes(a, names) == _attributes(b, names) == names and all(
            _same(getattr(a, name), getattr(b, name), seen) for name in names
        )
    if issubclass(kind, tuple) and hasattr(kind, "_fields") and kind.__eq__ is tuple.__eq__:
        return _same_items(a, b, seen)
    return False


def _attributes(value: Any, names: list[str]) -> list[str]:
    """The attributes of a dataclass instance: those of ``names`` that it has, and any it has besides."""
    own = getattr(value, "__dict__", {})
    return [name for name in names if hasattr(value, name)] + sorted(own.keys() - set(names))


def _same_float(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)  # noqa: PLR0124 - NaN


def _same_complex(a: complex, b: complex) -> bool:
    return _same_float(a.real, b.real) and _same_float(a.imag, b.imag)


def _same_decimal(a: decimal.Decimal, b: decimal.Decimal) -> bool:
    # A signalling NaN raises when it is compared.
    return a.is_nan() and b.is_nan() if a.is_nan() or b.is_nan() else a == b


def _same_items(a: Any, b: Any, seen: _Seen) -> bool:
    return len(a) == len(b) and all(_same(one, other, seen) for one, other in zip(a, b, strict=True))


def _same_mapping(a: Mapping[Any, Any], b: Mapping[Any, Any], seen: _Seen) -> bool:
    keys = _by_type(b)
    if keys is None or len(a) != len(b):
        return False
    return all((typed := _typed(key)) in keys and _same(a[key], b[keys[typed]], seen) for key in a)


def _same_default_mapping(a: Any, b: Any, seen: _Seen) -> bool:
    return a.default_factory is b.default_factory and _same_mapping(a, b, seen)


def _same_ordered_mapping(a: Any, b: Any, seen: _Seen) -> bool:
    return _same_items(list(a), list(b), seen) and _same_mapping(a, b, seen)


def _same_deque(a: Any, b: Any, seen: _Seen) -> bool:
    return a.maxlen == b.maxlen and _same_items(a, b, seen)


def _same_members(a: Any, b: Any, _: _Seen) -> bool:
    found = _by_type(b)
    return found is not None and len(a) == len(b) and all(_typed(member) in found for member in a)


def _by_type(members: Any) -> dict[Any, Any] | None:
    """Hashable members by value and type: 1, 1.0 and True find each other in a set. ``None`` if that cannot be told."""
    found = {_typed(member): member for member in members}
    return found if len(found) == len(members) and None not in found else None


def _typed(member: Any) -> Any:
    """Something that is equal for members that are the same and only for them; ``None`` where there is nothing."""
    kind = type(member)
    if kind in _EXACT or isinstance(member, (enum.Enum, type)):
        return kind, member
    if kind is decimal.Decimal:
        return kind, "nan" if member.is_nan() else member
    if kind is float:
        return kind, member if member == member else "nan"  # noqa: PLR0124 - NaN
    if kind in {tuple, frozenset}:
        members = [_typed(item) for item in member]
        return None if None in members else (kind, kind(members))
    return None


def _same_array(a: Any, b: Any, seen: _Seen) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.hasobject:
        return a.dtype.names is None and _same_items(a.ravel().tolist(), b.ravel().tolist(), seen)
    import numpy as np

    if a.dtype.kind in "fcmM":
        return bool(np.array_equal(a, b, equal_nan=True))
    return bool(np.array_equal(a, b))


def _same_by_equals(a: Any, b: Any, _: _Seen) -> bool:
    return bool(a.equals(b))


def _same_series(a: Any, b: Any, seen: _Seen) -> bool:
    return _same(a.name, b.name, seen) and bool(a.index.equals(b.index)) and bool(a.equals(b))


_NUMBERS: Mapping[type, Callable[[Any, Any], bool]] = {
    float: _same_float,
    complex: _same_complex,
    decimal.Decimal: _same_decimal,
}
_CONTAINERS: Mapping[type, Callable[[Any, Any, _Seen], bool]] = {
    list: _same_items,
    tuple: _same_items,
    deque: _same_deque,
    dict: _same_mapping,
    OrderedDict: _same_ordered_mapping,
    defaultdict: _same_default_mapping,
    set: _same_members,
    frozenset: _same_members,
}
_LIBRARIES: Mapping[tuple[str, str], Callable[[Any, Any, _Seen], bool]] = {
    ("numpy", "ndarray"): _same_array,
    ("pandas", "DataFrame"): _same_by_equals,
    ("pandas", "Series"): _same_series,
    ("pandas", "Index"): _same_by_equals,
    ("pandas", "RangeIndex"): _same_by_equals,
    ("pandas", "DatetimeIndex"): _same_by_equals,
    ("pandas", "Timestamp"): lambda a, b, _: bool(a == b),
    ("pyarrow", "Table"): _same_by_equals,
    ("pyarrow", "RecordBatch"): _same_by_equals,
    ("pyarrow", "ChunkedArray"): _same_by_equals,
    ("pyarrow", "Schema"): _same_by_equals,
}
