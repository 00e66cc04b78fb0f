"""Codecs: how the bytes of an artifact are made from its value, and the value from its bytes.

=============  ==================================================================================
``pickle5``    anything, see :mod:`.pickling`
``bytes``      the bytes themselves, for ``bytes`` too long to be copied into a pickle
``text``       UTF-8, for long ``str``
``arrow``      an Arrow IPC stream, for ``pyarrow.Table`` and ``RecordBatch``
another name   the ``TYPE`` of an installed :class:`~airflow_mlflow_provider.serializers.ArtifactSerializer`
=============  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_mlflow_provider.exception import MetaflowInternalError
from airflow_mlflow_provider.store import pickling

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from airflow_mlflow_provider.serializers import ArtifactSerializer

PICKLE = "pickle5"
_LONG = 64 << 10
# Types that no serializer is looked for, so that a flow of plain values never searches the installation.
_PLAIN = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        bytearray,
        list,
        tuple,
        dict,
        set,
        frozenset,
        range,
        slice,
    }
)
_PLAIN_MODULES = frozenset(
    {"builtins", "datetime", "decimal", "fractions", "pathlib", "uuid", "collections", "numpy"}
)


class Encoded(NamedTuple):
    """A serialised value.

    Attributes:
        codec: Name of the codec that reads it.
        parts: Its bytes; long parts may be the value's own memory.
        size: How many bytes there are.
    """

    codec: str
    parts: list[Buffer]
    size: int


class UnknownCodec(LookupError):
    """No codec of this name is installed."""


def encode(value: Any) -> Encoded:
    """Serialise a value with the first codec that takes it.

    Raises:
        Exception: Whatever the value's own reduction, or an installed serializer, raises.
    """
    kind = type(value)
    if kind is bytes and len(value) >= _LONG:
        return Encoded("bytes", [value], len(value))
    if kind is str and len(value) >= _LONG:
        data = value.encode("utf-8", "surrogatepass")
        return Encoded("text", [data], len(data))
    if kind not in _PLAIN:
        if kind.__module__ == "pyarrow.lib" and kind.__name__ in {"Table", "RecordBatch"}:
            return _encode_arrow(value, kind.__name__)
        serializer = _serializer_for(value, kind)
        if serializer is not None:
            return _encode_with(serializer, value)
    return Encoded(PICKLE, *pickling.dump(value))


def encode_pickle(value: Any) -> Encoded:
    """Serialise a value by pickle, whatever its type."""
    return Encoded(PICKLE, *pickling.dump(value))


def decode(codec: str, data: memoryview) -> Any:
    """The value whose bytes these are.

    Args:
        codec: Name of the codec that wrote them.
        data: The bytes: writable, 64-byte aligned and nobody else's, for the value may keep them.

    Raises:
        UnknownCodec: No codec of this name is installed.
        Exception: Whatever importing and rebuilding raise.
    """
    read = _READERS.get(codec)
    return read(data) if read is not None else _decode_with(codec, data)


def type_name(value: Any) -> str:
    """Qualified name of a value's type; that of a builtin without its module."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _encode_arrow(value: Any, kind: str) -> Encoded:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, value.schema) as writer:
        if kind == "Table":
            writer.write_table(value)
        else:
            writer.write_batch(value)
    buffer = sink.getvalue()
    return Encoded("arrow" if kind == "Table" else "arrow-batch", [buffer], buffer.size)


def _decode_arrow(data: memoryview) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def _decode_arrow_batch(data: memoryview) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_next_batch()


def _serializer_for(value: Any, kind: type) -> type[ArtifactSerializer] | None:
    if kind.__module__ in _PLAIN_MODULES:
        return None
    from airflow_mlflow_provider.store._installed import serializers

    return next((serializer for serializer in serializers() if serializer.can_serialize(value)), None)


def _encode_with(serializer: type[ArtifactSerializer], value: Any) -> Encoded:
    result = serializer.serialize(value)
    if isinstance(result, str):
        raise MetaflowInternalError(
            f"The serializer '{serializer.TYPE}' gave a text where byte strings were asked for.",
            fix="Make its serialize() return buffers and metadata for SerializationFormat.STORAGE.",
        )
    import json

    blobs, metadata = result
    # Metaflow's serializers wrap a byte string in an object with a `value`.
    views = [memoryview(getattr(blob, "value", blob)).cast("B") for blob in blobs]
    head = json.dumps(
        {
            "obj_type": metadata.obj_type,
            "size": metadata.size,
            "encoding": metadata.encoding,
            "serializer_info": metadata.serializer_info,
        },
        sort_keys=True,
    ).encode()
    return Encoded(serializer.TYPE, *pickling.frame(head, views))


def _decode_with(codec: str, data: memoryview) -> Any:
    import json

    from airflow_mlflow_provider.serializers import SerializationMetadata
    from airflow_mlflow_provider.store._installed import serializers

    serializer = next((serializer for serializer in serializers() if codec == serializer.TYPE), None)
    if serializer is None:
        raise UnknownCodec(codec)
    head, buffers = pickling.unframe(data)
    metadata = SerializationMetadata(**json.loads(bytes(head)))
    if not serializer.can_deserialize(metadata):
        raise UnknownCodec(codec)
    return serializer.deserialize(buffers, metadata)


_READERS: Mapping[str, Callable[[memoryview], Any]] = {
    PICKLE: pickling.load,
    "bytes": bytes,
    "text": lambda data: str(data, "utf-8", "surrogatepass"),
    "arrow": _decode_arrow,
    "arrow-batch": _decode_arrow_batch,
}
