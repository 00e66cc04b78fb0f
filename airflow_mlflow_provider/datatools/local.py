"""Folders with the interface of object stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, ClassVar

from airflow_mlflow_provider.datatools.exception import MetaflowLocalNotFound, MetaflowLocalURLException
from airflow_mlflow_provider.datatools.store import ObjectStore
from airflow_mlflow_provider.exception import MetaflowException


class Local(ObjectStore):
    """Files of a folder, used as `S3` is.

    Args:
        localroot: The folder; the working directory by default.
        tmproot: Folder for the copies that are got.
    """

    _schemes: ClassVar[tuple[str, ...]] = ("file",)
    _not_found: ClassVar[type[MetaflowException]] = MetaflowLocalNotFound
    _bad_url: ClassVar[type[MetaflowException]] = MetaflowLocalURLException

    def __init__(self, localroot: str | None = None, tmproot: str | None = None) -> None:
        super().__init__(f"file://{Path(localroot or '.').absolute()}", tmproot=tmproot)


def read_in_chunks(dst: IO[bytes], src: IO[bytes], src_sz: int, max_chunk_size: int) -> Iterator[None]:
    """Copy from one file to another a chunk at a time; each step of the iterator is one chunk.

    Args:
        dst: Where to write.
        src: What to read.
        src_sz: Bytes to copy.
        max_chunk_size: Most bytes in memory at once.
    """
    left = src_sz
    while left > 0 and (chunk := src.read(min(left, max_chunk_size))):
        dst.write(chunk)
        left -= len(chunk)
        yield
