"""What is asked for and what is found: values without a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class RangeInfo(NamedTuple):
    """Which part of an object was read.

    Attributes:
        total_size: Size of the whole object in bytes.
        request_offset: First byte of the part.
        request_length: Bytes asked for; ``-1`` for all that follow.
    """

    total_size: int
    request_offset: int = 0
    request_length: int = -1


class S3GetObject(NamedTuple):
    """A part of an object to get.

    Attributes:
        key: Key or URL.
        offset: First byte; a negative one counts from the end.
        length: Bytes; ``None`` or ``-1`` for all that follow.
    """

    key: str
    offset: int
    length: int | None = None


class S3PutObject(NamedTuple):
    """An object to put, with what is kept beside it.

    Attributes:
        key: Key or URL.
        value: Text (UTF-8), bytes or a binary file, for `put_many`.
        path: File, for `put_files`.
        content_type: MIME type.
        encryption: Server-side encryption of this object.
        metadata: Texts by name.
    """

    key: str
    value: Any = None
    path: str | None = None
    content_type: str | None = None
    encryption: str | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True)
class S3Object:
    """An object that was got, asked about or listed.

    Attributes:
        url: Its URL.
        key: The key relative to the root; the URL where there is no root.
        prefix: The root's URL, or ``None``.
        path: The downloaded file, or ``None``.
        size: Bytes of what was read or is there; ``None`` if unknown or missing.
        exists: Whether there is such an object; a prefix in a listing is none.
        has_info: Whether type and metadata are known.
        metadata: Texts kept beside the object, by name; ``None`` if unknown or none.
        content_type: MIME type; ``None`` if unknown.
        last_modified: Seconds since 1970; ``None`` if unknown.
        range_info: Which part was read; ``None`` if nothing was.
        encryption: Server-side encryption that was asked for.
    """

    url: str
    key: str
    prefix: str | None = None
    path: str | None = None
    size: int | None = None
    exists: bool = True
    has_info: bool = False
    metadata: Mapping[str, str] | None = field(default=None, hash=False)
    content_type: str | None = None
    last_modified: float | None = None
    range_info: RangeInfo | None = None
    encryption: str | None = None

    @property
    def downloaded(self) -> bool:
        """Whether there is a local file."""
        return self.path is not None

    @property
    def blob(self) -> bytes | None:
        """The bytes; ``None`` if nothing was downloaded."""
        return None if self.path is None else Path(self.path).read_bytes()

    @property
    def text(self) -> str | None:
        """The bytes as UTF-8; ``None`` if nothing was downloaded."""
        blob = self.blob
        return None if blob is None else blob.decode("utf-8")
