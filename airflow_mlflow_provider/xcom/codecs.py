"""Values as bytes without pickle: a JSON tree, and beside it the memory of arrays, frames and byte strings.

What Airflow's own XCom serialization takes is the tree: JSON, tuples, sets, dates, decimals, data classes and the
classes that Airflow is configured to allow. In it, at any depth of dicts, lists and tuples, stand for

===============  ==============================================================================
``array``        ``numpy.ndarray`` without Python objects: NumPy's own header, and the memory
``frame``        ``pandas.DataFrame`` with its index, as an Arrow stream; ``series`` likewise
``polars``       ``polars.DataFrame``, as an Arrow stream; ``polars-series`` likewise
``table``        ``pyarrow.Table``; ``batch`` for a ``RecordBatch``
``bytes``        ``bytes``; ``bytearray`` likewise
``pairs``        a dict whose keys are not all text, or are words that are reserved here
===============  ==============================================================================

Reading them runs no code of the writer's, whoever wrote them.
"""

from __future__ import annotations

import importlib
import io
import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from airflow_mlflow_provider.store import pickling
from airflow_mlflow_provider.store.codecs import Encoded

TREE: Final = "xcom-tree"
POINTER: Final = "__artifact__"

_LEAF = "__leaf__"
# What Airflow's own serialization marks its objects with.
_MARKS = frozenset({"__classname__", "__version__", "__data__", "__type", "__var"})
_RESERVED = _MARKS | {_LEAF, POINTER}
_PLAIN = frozenset({str, int, float, bool, type(None)})


class Unsupported(TypeError):
    """A value, or a member of it, has no form but a pickle."""


class Tree(NamedTuple):
    """A value made ready to be stored.

    Attributes:
        json: The JSON tree.
        buffers: The memory that its leaves refer to, by position.
        exact: Whether the tree alone is the value in the form in which Airflow keeps any XCom.
        members: Numbers, texts and the like in the value's lists; each takes two bytes at least.
        plain: Whether the tree holds nothing but lists, dicts, texts and finite numbers.
    """

    json: Any
    buffers: list[memoryview]
    exact: bool
    members: int = 0
    plain: bool = False


class _Wrapped(NamedTuple):
    value: Any


def plant(value: Any) -> Tree:
    """Take a value apart.

    Raises:
        Unsupported: A member of it has no form but a pickle.
    """
    # Here and not above: what a pod reads of a value that was handed to it seldom needs Airflow there.
    from airflow.sdk.bases.xcom import BaseXCom

    leaves = _Leaves()
    try:
        tree = leaves.replace(value)
        if not leaves.plain:
            tree = BaseXCom.serialize_value(tree)
    except (TypeError, AttributeError, RecursionError, ValueError) as error:
        raise Unsupported(str(error)) from error
    return Tree(tree, leaves.buffers, leaves.exact, leaves.members, leaves.plain and leaves.finite)


def fits(tree: Tree, most_bytes: int) -> bool:
    """Whether a value may be kept in a database, as it is.

    Args:
        tree: The value.
        most_bytes: Longest text, in bytes.
    """
    return tree.exact and 2 * tree.members <= most_bytes and fits_database(tree.json, most_bytes)


def fits_database(tree: Any, most_bytes: int) -> bool:
    """Whether a JSON value may be kept in a database: it is short, and every database takes it.

    PostgreSQL refuses NaN, infinities, the character NUL and lone surrogates.

    Args:
        tree: The value.
        most_bytes: Longest text, in bytes.
    """
    try:
        text = json.dumps(tree, allow_nan=False, ensure_ascii=False)
        return "\\u0000" not in text and len(text.encode()) <= most_bytes
    except (TypeError, ValueError):
        return False


def encode(tree: Tree) -> Encoded:
    """The bytes of a tree.

    Raises:
        Unsupported: Airflow's serialization left something in it that is no JSON.
    """
    return Encoded(TREE, *pickling.frame(_head(tree), tree.buffers))


def _head(tree: Tree) -> bytes:
    if tree.plain:
        try:
            # Ten times as fast, but it makes NaN null and refuses lone surrogates.
            return msgspec.json.encode(tree.json)
        except (OverflowError, ValueError):
            pass
    try:
        return json.dumps(tree.json, separators=(",", ":")).encode("utf-8", "surrogatepass")
    except TypeError as error:
        raise Unsupported(str(error)) from error


def decode(data: memoryview) -> Any:
    """The value whose bytes these are.

    Args:
        data: The bytes: writable and nobody else's, for arrays use this memory.

    Raises:
        ImportError: A class that Airflow's serialization needs is not here, or not allowed.
    """
    view, buffers = pickling.unframe(data)
    head = bytes(view)
    tree = _parsed(head)
    # Both walk through all of it: only where there may be something to be found.
    if b'"__' not in head:
        return tree
    if any(f'"{mark}"'.encode() in head for mark in _MARKS):
        from airflow.sdk.bases.xcom import BaseXCom

        tree = BaseXCom.deserialize_value(_Wrapped(tree))
    return _restore(tree, buffers) if f'"{_LEAF}"'.encode() in head else tree


def _parsed(head: bytes) -> Any:
    try:
        return msgspec.json.decode(head)
    except (msgspec.DecodeError, ValueError):
        # It has NaN, infinities or lone surrogates.
        return json.loads(head.decode("utf-8", "surrogatepass"))


class _Leaves:
    def __init__(self) -> None:
        self.buffers: list[memoryview] = []
        self.exact = True
        # Whether it is JSON as it stands, and Airflow's serialization would leave it so.
        self.plain = True
        self.finite = True
        self.members = 0

    def replace(self, value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            return self._mapping(value)
        if kind is list or kind is tuple:
            self.plain = self.plain and kind is list
            kinds = set(map(type, value))
            if _PLAIN.issuperset(kinds):
                self.members += len(value)
                if float in kinds:
                    numbers = value if len(kinds) == 1 else (each for each in value if type(each) is float)
                    self.finite = self.finite and all(map(math.isfinite, numbers))
                return value
            return kind(self.replace(member) for member in value)
        if kind in _PLAIN:
            self.finite = self.finite and (kind is not float or math.isfinite(value))
            return value
        write = _WRITERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if write is None:
            self.plain = False
            return value
        return self._leaf(*write(value))

    def _mapping(self, value: dict[Any, Any]) -> Any:
        if all(type(key) is str for key in value) and _RESERVED.isdisjoint(value):
            return {key: self.replace(member) for key, member in value.items()}
        self.exact = False
        return {_LEAF: "pairs", "of": [[self.replace(key), self.replace(value[key])] for key in value]}

    def _leaf(self, kind: str, buffers: list[Any]) -> dict[str, Any]:
        self.exact = False
        first = len(self.buffers)
        self.buffers.extend(memoryview(buffer).cast("B") for buffer in buffers)
        return {_LEAF: kind, "of": list(range(first, len(self.buffers)))}


def _restore(value: Any, buffers: list[memoryview]) -> Any:
    kind = type(value)
    if kind is list or kind is tuple:
        return kind(_restore(member, buffers) for member in value)
    if kind is not dict:
        return value
    leaf = value.get(_LEAF)
    if leaf is None:
        return {key: _restore(member, buffers) for key, member in value.items()}
    if leaf == "pairs":
        return {_restore(key, buffers): _restore(member, buffers) for key, member in value["of"]}
    return _READERS[leaf](*(buffers[position] for position in value["of"]))


def _write_array(array: Any) -> tuple[str, list[Any]]:
    import numpy as np

    if array.dtype.hasobject:
        raise Unsupported(f"an array of Python objects (dtype {array.dtype})")
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = np.ascontiguousarray(array)
    header = io.BytesIO()
    described = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_2_0(header, described)
    flat = array.ravel("F" if described["fortran_order"] else "C")
    return "array", [header.getvalue(), flat.view(np.uint8) if flat.nbytes else b""]


def _read_array(header: memoryview, memory: memoryview) -> Any:
    import numpy as np

    file = io.BytesIO(header)
    np.lib.format.read_magic(file)
    shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    return np.ndarray(shape, dtype, buffer=memory, order="F" if fortran else "C")


def _write_frame(frame: Any) -> tuple[str, list[Any]]:
    return "frame", [_stream(_from_pandas(frame))]


def _write_series(series: Any) -> tuple[str, list[Any]]:
    named = series.name is not None
    table = _from_pandas(series.to_frame() if named else series.to_frame("_"))
    return "series" if named else "nameless-series", [_stream(table)]


def _from_pandas(frame: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.Table.from_pandas(frame)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise Unsupported(f"a frame that Arrow cannot hold: {error}") from error


def _write_arrow(table: Any) -> tuple[str, list[Any]]:
    return "table", [_stream(table)]


def _write_batch(batch: Any) -> tuple[str, list[Any]]:
    import pyarrow as pa

    return "batch", [_stream(pa.Table.from_batches([batch]))]


def _write_polars(frame: Any) -> tuple[str, list[Any]]:
    return "polars", [_stream(frame.to_arrow())]


def _write_polars_series(series: Any) -> tuple[str, list[Any]]:
    return "polars-series", [_stream(series.to_frame().to_arrow())]


def _stream(table: Any) -> Any:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _table(data: memoryview) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def _batch(data: memoryview) -> Any:
    import pyarrow as pa

    table = _table(data)
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _nameless(data: memoryview) -> Any:
    return _table(data).to_pandas().iloc[:, 0].rename(None)


def _polars(data: memoryview) -> Any:
    # By name: a checker of types has polars only where it is installed.
    return importlib.import_module("polars").from_arrow(_table(data))


_WRITERS: Final[Mapping[tuple[str, str], Callable[[Any], tuple[str, list[Any]]]]] = MappingProxyType(
    {
        ("builtins", "bytes"): lambda value: ("bytes", [value]),
        ("builtins", "bytearray"): lambda value: ("bytearray", [bytes(value)]),
        ("numpy", "ndarray"): _write_array,
        ("pandas", "DataFrame"): _write_frame,
        ("pandas", "Series"): _write_series,
        ("polars", "DataFrame"): _write_polars,
        ("polars", "Series"): _write_polars_series,
        ("pyarrow", "Table"): _write_arrow,
        ("pyarrow", "RecordBatch"): _write_batch,
    }
)
_READERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "array": _read_array,
        "frame": lambda data: _table(data).to_pandas(),
        "series": lambda data: _table(data).to_pandas().iloc[:, 0],
        "nameless-series": _nameless,
        "polars": _polars,
        "polars-series": lambda data: _polars(data).to_series(),
        "table": _table,
        "batch": _batch,
        "bytes": bytes,
        "bytearray": bytearray,
    }
)
