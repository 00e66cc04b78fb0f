"""What callers hand over: parts of objects, and values to put."""

from __future__ import annotations

from typing import Any

from airflow_mlflow_provider.datatools.exception import MetaflowS3InvalidObject, MetaflowS3InvalidRange
from airflow_mlflow_provider.datatools.objects import S3GetObject

Key = str | S3GetObject


def wanted_part(key: Key) -> S3GetObject:
    """The part of an object that a key asks for; all of it, if it is a text.

    Raises:
        MetaflowS3InvalidRange: There can be no such part.
    """
    if isinstance(key, str):
        return S3GetObject(key, 0)
    if not isinstance(key, S3GetObject):
        raise MetaflowS3InvalidObject(
            f"{key!r} ({type(key).__name__}) is no key.",
            fix="Give a text, or an S3GetObject.",
            where={"key": key},
        )
    length = None if key.length is None or key.length < 0 else key.length
    if length == 0 or (key.offset < 0 and length is not None):
        raise MetaflowS3InvalidRange(
            f"'{key.key}' has no part with offset {key.offset} and length {key.length}.",
            fix="Ask for at least one byte; an offset from the end takes no length.",
            where={"key": key.key},
        )
    return S3GetObject(key.key, key.offset, length)


def content_of(key: str, value: Any) -> bytes:
    """The bytes to put: of a text (UTF-8), of bytes, or what is left of a binary file.

    Raises:
        MetaflowS3InvalidObject: The value is something else.
    """
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    content = value.read() if hasattr(value, "read") else None
    if isinstance(content, bytes):
        return content
    raise MetaflowS3InvalidObject(
        f"'{key}' cannot be put from a value of type {type(value).__name__}.",
        fix="Give text, bytes or a file opened in binary mode.",
        where={"key": key},
    )
