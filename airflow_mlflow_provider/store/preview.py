"""Bounded JSON descriptions of values, made when they are saved, so that nothing is unpickled to be shown.

A preview takes microseconds, for arrays and frames at most about a millisecond, whatever the value's size: it looks at the first
few members and at a bounded sample, never calls code of the user's own classes, and never raises. Libraries are recognised by
the module of the type and not imported. All is at most 2 KB, and a picture at most 3 KB more.

===========  ===============================================================================
member       meaning
===========  ===============================================================================
``repr``     short text of the value, at most 200 characters
``len``      number of members, rows or characters
``shape``    of arrays and frames
``dtype``    of arrays and series
``columns``  of frames and tables: ``[name, dtype]``, the first 20
``head``     first members: JSON numbers, booleans, nulls, and short text for all else
``min max``  of numbers; as ``mean``, ``std`` and ``nulls`` (how many are not finite)
``spark``    the course of a series of numbers, in at most 24 points
``stats``    for each column ``[min, mean, max, missing]``, or null if it is not numeric
``sampled``  of how many values these are, where it was not all
``image``    a small picture of an image or a matrix, as a ``data:`` address
===========  ===============================================================================
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from airflow_mlflow_provider.store.preview_numbers import array_numbers, column_numbers, list_numbers
from airflow_mlflow_provider.store.preview_pictures import array_picture, image_picture

_REPR = 200
_TEXT = 40
_HEAD = 8
_COLUMNS = 20
_MOST_BYTES = 2048
_SAMPLED_ROWS = 2_000
_INSIDE = 3

Preview = dict[str, Any]


def preview_of(value: Any) -> Preview | None:
    """Describe a value in at most 2 KB of JSON and a picture; ``None`` where there is nothing to say but its type."""
    try:
        described = _describe(value)
        if described is None:
            return None
        picture = described.pop("image", None)
        return _bounded(described) if picture is None else {**_bounded(described), "image": picture}
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
    if module == "PIL" and hasattr(value, "getbands"):
        return {
            "shape": [value.size[1], value.size[0]],
            "dtype": str(value.mode),
            "image": image_picture(value),
        }
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
    return {"len": len(value), "head": head, **(list_numbers(value) if type(value) in (list, tuple) else {})}


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
    picture = array_picture(value)
    return {**described, **array_numbers(value), **({"image": picture} if picture else {})}


def _frame(value: Any) -> Preview:
    names, kinds = value.columns[:_COLUMNS], value.dtypes.iloc[:_COLUMNS]
    columns = [[_member(name), str(kind)] for name, kind in zip(names, kinds, strict=True)]
    rows = value.iloc[:3, :_COLUMNS].to_numpy().tolist()
    beginning = value.iloc[:_SAMPLED_ROWS]
    return {
        "shape": list(value.shape),
        "len": len(value),
        "columns": columns,
        "head": [[_member(member) for member in row] for row in rows],
        **_columns([_of_pandas(beginning.iloc[:, index]) for index in range(len(columns))], len(value)),
    }


def _of_pandas(column: Any) -> Any:
    """A column as an array, ``None`` if it is not one of plain numbers."""
    return (
        column.to_numpy()
        if getattr(column.dtype, "kind", "O") in "biuf" and _is_numpy(column.dtype)
        else None
    )


def _is_numpy(dtype: Any) -> bool:
    return type(dtype).__module__.partition(".")[0] == "numpy"


def _columns(arrays: list[Any], rows: int) -> Preview:
    """Numbers of columns, for those that are arrays."""
    stats = [None if array is None else column_numbers(array) for array in arrays]
    if not any(stats):
        return {}
    return {"stats": stats, **({"sampled": _SAMPLED_ROWS} if rows > _SAMPLED_ROWS else {})}


def _series(value: Any) -> Preview:
    head = [_member(member) for member in value.iloc[:_HEAD].tolist()]
    array = _of_pandas(value)
    numbers = {} if array is None else array_numbers(array)
    return {
        "len": len(value),
        "dtype": str(value.dtype),
        "name": _member(value.name),
        "head": head,
        **numbers,
    }


def _table(value: Any) -> Preview:
    schema = value.schema
    fields = [schema.field(index) for index in range(min(len(schema), _COLUMNS))]
    rows = value.slice(0, 3).select(range(len(fields))).to_pylist()
    return {
        "shape": [value.num_rows, value.num_columns],
        "len": value.num_rows,
        "columns": [[_cut(field.name, _TEXT), _cut(str(field.type), _TEXT)] for field in fields],
        "head": [[_member(member) for member in row.values()] for row in rows],
        **_columns([_of_arrow(value.column(index)) for index in range(len(fields))], value.num_rows),
    }


def _of_arrow(column: Any) -> Any:
    kind = str(column.type)
    if not kind.startswith(("int", "uint", "float", "double")):
        return None
    return column.slice(0, _SAMPLED_ROWS).to_numpy(
        **({} if hasattr(column, "chunks") else {"zero_copy_only": False})
    )


def _polars(value: Any) -> Preview:
    names = list(value.columns[:_COLUMNS])
    columns = [value.get_column(name) for name in names]
    arrays = [c.head(_SAMPLED_ROWS).to_numpy() if c.dtype.is_numeric() else None for c in columns]
    return {
        "shape": list(value.shape),
        "len": value.height,
        "columns": [
            [_cut(name, _TEXT), _cut(str(c.dtype), _TEXT)] for name, c in zip(names, columns, strict=True)
        ],
        "head": [[_member(member) for member in row] for row in value.head(3).select(names).rows()],
        **_columns(arrays, value.height),
    }


def _polars_series(value: Any) -> Preview:
    head = [_member(member) for member in value.head(_HEAD).to_list()]
    numbers = array_numbers(value.to_numpy()) if value.dtype.is_numeric() else {}
    return {
        "len": len(value),
        "dtype": str(value.dtype),
        "name": _member(value.name),
        "head": head,
        **numbers,
    }


def _tensor(value: Any) -> Preview:
    return {"shape": list(value.shape), "dtype": str(value.dtype), "len": value.numel()}


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
        return _inside(value) or f"{kind.__name__} of {len(value)}"
    if kind.__module__.partition(".")[0] in {"numpy", "pandas", "datetime"} and not hasattr(value, "__len__"):
        return _cut(str(value), _TEXT)
    return _cut(kind.__qualname__, _TEXT)


def _inside(value: Any) -> str | None:
    """A dict or list in a list as short text, ``None`` if that is not short."""
    kind = type(value)
    if kind not in (dict, list, tuple) or not 0 < len(value) <= _INSIDE:
        return None
    if kind is dict:
        text = ", ".join(f"{_flat(key)}: {_flat(member)}" for key, member in value.items())
    else:
        text = ", ".join(_flat(member) for member in value)
    around = {"dict": "{}", "list": "[]", "tuple": "()"}[kind.__name__]
    return f"{around[0]}{text}{around[1]}" if len(text) <= _TEXT - 2 else None


def _flat(member: Any) -> str:
    """A member of a member: never a look further inside."""
    if type(member) in (dict, list, tuple):
        return f"{type(member).__name__} of {len(member)}"
    return str(_member(member))


def _bounded(described: Preview) -> Preview:
    """Drop from the end of the long members until the whole is at most 2 KB of JSON."""
    import msgspec

    for name in ("head", "stats", "columns"):
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
    ("polars", "DataFrame"): _polars,
    ("polars", "Series"): _polars_series,
    ("torch", "Tensor"): _tensor,
}
