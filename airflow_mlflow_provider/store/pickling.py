"""Pickle, protocol 5, with large buffers beside the pickle instead of in it.

**Layout.** A value without large buffers is a plain pickle. Otherwise, little-endian::

    b"OOB1" | u32 number of buffers | u64 length of the pickle | u64 length of each buffer
    | the pickle | each buffer, at the next multiple of 64

so that in a file that is mapped into memory NumPy, pandas and Arrow use the bytes where they are, aligned for any
vector instruction.

**By reference or by value.** What can be imported by its name is pickled as that name, ``__main__`` included, because
every task loads the flow's file as ``__main__``: an instance of a class of that file is still one in the next step.
Lambdas, closures and classes made inside functions are pickled by value, by cloudpickle. It is only asked when the
plain pickler gives up, for it is slower by an order of magnitude.

**Equal digests.** A value that is loaded and saved again has the same bytes, so that what a step only read is
recognised. Some exceptions give needless copies, nothing worse: sets of strings, whose order differs between processes
unless ``PYTHONHASHSEED`` is set, and functions pickled by value, and values that share a string or tuple by
identity where an equal one does not.
"""

from __future__ import annotations

import copyreg
import pickle
import struct
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

PROTOCOL = 5
ALIGNMENT = 64
# Smaller buffers go into the pickle: a place and a view of their own would cost more than copying them.
_BESIDE_BYTES = 4096
_MAGIC = b"OOB1"
_HEAD = struct.Struct("<4sIQ")
_PADDING = bytes(ALIGNMENT)
_ATOMS = frozenset({type(None), bool, int, float, str})
_GIVE_UP = (pickle.PicklingError, AttributeError, TypeError, NotImplementedError)


class _Parts:
    """A file to pickle into that keeps the parts it is given; the pickler hands large byte strings over uncopied."""

    __slots__ = ("parts", "write")

    def __init__(self) -> None:
        self.parts: list[Buffer] = []
        self.write = self.parts.append


def dump(value: Any) -> tuple[list[Buffer], int]:
    """Pickle a value.

    Returns:
        Parts that reference the value's own memory where they are large, and their length in all.

    Raises:
        Exception: Whatever the value's own reduction raises; ``PicklingError`` and ``TypeError`` mostly.
    """
    if type(value) in _ATOMS:
        data = pickle.dumps(value, PROTOCOL)
        return [data], len(data)
    try:
        parts, beside = _dump(pickle.Pickler, value)
    except _GIVE_UP:
        from airflow_mlflow_provider.store._by_value import ByValuePickler

        parts, beside = _dump(ByValuePickler, value)
    size = sum(map(len, parts))  # type: ignore[arg-type]
    return _frame(parts, size, beside) if beside else (parts, size)


def load(data: memoryview) -> Any:
    """Unpickle what :func:`dump` gave.

    Args:
        data: The bytes. Arrays use this memory: it must be writable and nobody else's.

    Raises:
        Exception: Whatever importing and rebuilding raise.
    """
    if data[:4] != _MAGIC:
        return pickle.loads(data)
    head, buffers = unframe(data)
    return pickle.loads(head, buffers=buffers)


def frame(head: bytes, buffers: Sequence[memoryview]) -> tuple[list[Buffer], int]:
    """Lay out any bytes and the buffers that belong to them as :func:`dump` does."""
    return _frame([head], len(head), buffers)


def unframe(data: memoryview) -> tuple[memoryview, list[memoryview]]:
    """The parts of what :func:`frame` gave."""
    _, count, size = _HEAD.unpack_from(data)
    start = _HEAD.size + 8 * count
    position = start + size
    buffers = []
    for length in struct.unpack_from(f"<{count}Q", data, _HEAD.size):
        position += -position % ALIGNMENT
        buffers.append(data[position : position + length])
        position += length
    return data[start : start + size], buffers


def _dump(pickler: type[pickle.Pickler], value: Any) -> tuple[list[Buffer], list[memoryview]]:
    target = _Parts()
    beside: list[memoryview] = []

    def place(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _BESIDE_BYTES:
            return True
        beside.append(view)
        return False

    writing = pickler(target, PROTOCOL, buffer_callback=place)
    _lay_out_arrays(writing)
    writing.dump(value)
    return target.parts, beside


def _lay_out_arrays(pickler: pickle.Pickler) -> None:
    """Let a pickler store arrays with gaps as if they had none: NumPy would put a copy into the pickle."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        known = getattr(pickler, "dispatch_table", copyreg.dispatch_table)
        pickler.dispatch_table = {**known, numpy.ndarray: _reduce_array}


def _reduce_array(array: Any) -> Any:
    flags = array.flags
    if not (flags.c_contiguous or flags.f_contiguous):
        array = array.copy("C")
    return array.__reduce_ex__(PROTOCOL)


def _frame(parts: list[Buffer], size: int, buffers: Sequence[memoryview]) -> tuple[list[Buffer], int]:
    lengths = [buffer.nbytes for buffer in buffers]
    head = _HEAD.pack(_MAGIC, len(buffers), size) + struct.pack(f"<{len(lengths)}Q", *lengths)
    framed: list[Buffer] = [head, *parts]
    position = len(head) + size
    for buffer, length in zip(buffers, lengths, strict=True):
        gap = -position % ALIGNMENT
        if gap:
            framed.append(_PADDING[:gap])
        framed.append(buffer)
        position += gap + length
    return framed, position
