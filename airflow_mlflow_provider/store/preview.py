"""Bounded JSON descriptions of values, made when they are saved, so that nothing is unpickled to be shown.

A preview takes microseconds whatever the value's size: it looks at the first few members only, never calls code of
the user's own classes, and never raises. Libraries are recognised by the module of the type and not imported.

===========  ===============================================================================
member       meaning
===========  ===============================================================================
``repr``     short text of the value, at most 200 characters
``len``      number of members, rows or characters
``shape``    of arrays and frames
``dtype``    of arrays and series
``columns``  of frames and tables: ``[name, dtype]``, the first 20
``head``     first members: JSON numbers, booleans, nulls, and short text for all else
``min max``  of small numeric arrays
===========  ===============================================================================
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

_REPR = 200
_TEXT = 40
_HEAD = 8
_COLUMNS = 20
_MOST_BYTES = 1024
_EXTREMES = 10_000

Preview = dict[str, Any]


def preview_of(value: Any) -> Preview | None:
    """Describe a value in at most 1 KB of JSON; ``None`` where there is nothing to say but its type."""
    try:
        described = _describe(value)
        return None if described is None else _bounded(described)
    except Exception:  # noqa: BLE001 - a preview is a courtesy; a value that cannot be described is stored all the same
        return None


def _describe(value: Any) -> Preview | None:
    kind = type(value)
    describe = _BUILTINS.get(kind)
    if describe is not None:
        return describe(value)
    module = kind.__module__.partition(".")[0]
    library = _LIBRARIES.get((module, kind.__name__))
    if library is not None:
        return library(value)
    if module == "numpy" and hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        return {"repr": _cut(str(value), _REPR), "dtype": str(value.dtype)}
    return None


def _scalar(value: Any) -> Preview:
    return {"repr": repr(value)}


def _integer(value: int) -> Preview:
    # The decimal text of a huge integer takes quadratic time.
    bits = value.bit_length()
    return {"repr": repr(value) if bits <= 512 else f"an integer of {bits} bits"}


def _text(value: str | bytes | bytearray) -> Preview:
    return {"len": len(value), "repr": _cut(repr(value[:_REPR]), _REPR, longer=len(value) > _REPR)}


def _sequence(value: Any) -> Preview:
    head = [_member(member) for member in itertools.islice(value, _HEAD)]
    return {"len": len(value), "head": head}


def _mapping(value: Mapping[Any, Any]) -> Preview:
    head = [[_member(key), _member(member)] for key, member in itertools.islice(value.items(), _HEAD)]
    return {"len": len(value), "head": head}


def _array(value: Any) -> Preview:
    described: Preview = {
        "shape": list(value.shape),
        "dtype": _cut(str(value.dtype), _REPR),
        "len": value.size,
    }
    if value.dtype.kind in "biufcSU" and value.size:
        described["head"] = [_member(member) for member in value.flat[:_HEAD].tolist()]
    if value.dtype.kind in "iuf" and 0 < value.size <= _EXTREMES:
        described["min"], described["max"] = _member(value.min().item()), _member(value.max().item())
    return described


def _frame(value: Any) -> Preview:
    names, kinds = value.columns[:_COLUMNS], value.dtypes.iloc[:_COLUMNS]
    columns = [[_member(name), str(kind)] for name, kind in zip(names, kinds, strict=True)]
    rows = value.iloc[:3, :_COLUMNS].to_numpy().tolist()
    return {
        "shape": list(value.shape),
        "len": len(value),
        "columns": columns,
        "head": [[_member(member) for member in row] for row in rows],
    }


def _series(value: Any) -> Preview:
    head = [_member(member) for member in value.iloc[:_HEAD].tolist()]
    return {"len": len(value), "dtype": str(value.dtype), "name": _member(value.name), "head": head}


def _table(value: Any) -> Preview:
    schema = value.schema
    fields = [schema.field(index) for index in range(min(len(schema), _COLUMNS))]
    rows = value.slice(0, 3).select(range(len(fields))).to_pylist()
    return {
        "shape": [value.num_rows, value.num_columns],
        "len": value.num_rows,
        "columns": [[_cut(field.name, _TEXT), _cut(str(field.type), _TEXT)] for field in fields],
        "head": [[_member(member) for member in row.values()] for row in rows],
    }


def _member(value: Any) -> Any:
    """A member as JSON: numbers as they are, everything else as short text."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if value.bit_length() <= 53 else _cut(_integer(value)["repr"], _TEXT)
    if kind is float:
        return value if math.isfinite(value) else repr(value)
    if kind is str:
        return value if len(value) <= _TEXT else f"{value[: _TEXT - 1]}…"
    if kind in _BUILTINS and hasattr(value, "__len__"):
        return f"{kind.__name__} of {len(value)}"
    if kind.__module__.partition(".")[0] in {"numpy", "pandas", "datetime"} and not hasattr(value, "__len__"):
        return _cut(str(value), _TEXT)
    return _cut(kind.__qualname__, _TEXT)


def _bounded(described: Preview) -> Preview:
    """Drop from the end of the long members until the whole is at most 1 KB of JSON."""
    import msgspec

    for name in ("head", "columns"):
        while len(msgspec.json.encode(described)) > _MOST_BYTES and described.get(name):
            described[name] = described[name][: len(described[name]) // 2]
    return described


def _cut(text: str, most: int, *, longer: bool = False) -> str:
    return text if len(text) <= most and not longer else f"{text[: most - 1]}…"


_BUILTINS: Mapping[type, Callable[[Any], Preview]] = {
    type(None): _scalar,
    bool: _scalar,
    float: _scalar,
    complex: _scalar,
    range: _scalar,
    int: _integer,
    str: _text,
    bytes: _text,
    bytearray: _text,
    list: _sequence,
    tuple: _sequence,
    set: _sequence,
    frozenset: _sequence,
    dict: _mapping,
}
_LIBRARIES: Mapping[tuple[str, str], Callable[[Any], Preview]] = {
    ("numpy", "ndarray"): _array,
    ("pandas", "DataFrame"): _frame,
    ("pandas", "Series"): _series,
    ("pyarrow", "Table"): _table,
    ("pyarrow", "RecordBatch"): _table,
}
