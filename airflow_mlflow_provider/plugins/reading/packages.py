"""The files of a code package, read as they stream by, within bounds; nothing is unpacked, and nothing imported."""

from __future__ import annotations

import functools
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import zstandard

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.plugins.stores import store_at
from airflow_mlflow_provider.runtime.package import FLOW_FOLDER
from airflow_mlflow_provider.store.blobs import code_key

_MOST_STORED = 50_000_000
_MOST_READ = 200_000_000
_MOST_FILES = 2_000
_LONGEST_TEXT = 500_000
_MOST_TEXT = 20_000_000


class PackagedFile(NamedTuple):
    """A file of a package.

    Attributes:
        size: Bytes.
        digest: Of its content.
        text: Its content; ``None`` if it is not text, or too long.
    """

    size: int
    digest: str
    text: str | None


class Package(NamedTuple):
    """The files of a package by path, and how many more it holds."""

    files: Mapping[str, PackagedFile]
    left_out: int


# A package never changes, so it is read once for all who look at it.
@functools.lru_cache(maxsize=4)
def read_package(store: str, digest: str) -> Package:
    """The flow's files in a package.

    Args:
        store: URL of the store.
        digest: Digest of the package.

    Raises:
        MetaflowException: It is too large to be shown.
        ObjectNotFound: It is not there.
    """
    key = code_key(digest)
    size = store_at(store).size(key) or 0
    if size > _MOST_STORED:
        raise MetaflowException(
            f"The code package has {size / 1e6:.0f} MB, which is too much to show here.",
            fix="Read it with the client: Run(…).code.extract().",
            where={"code": digest},
        )
    return _read(bytes(store_at(store).get(key)))


def _read(data: bytes) -> Package:
    files: dict[str, PackagedFile] = {}
    left_out, kept = 0, 0
    for name, content in _members(data):
        if len(files) == _MOST_FILES:
            left_out += 1
            continue
        text = _text(content) if kept + len(content) <= _MOST_TEXT else None
        kept += len(content) if text is not None else 0
        files[name] = PackagedFile(len(content), hashlib.blake2b(content, digest_size=16).hexdigest(), text)
    return Package(files, left_out)


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    prefix = f"{FLOW_FOLDER}/"
    with (
        zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            if member.offset_data + member.size > _MOST_READ:
                return
            file = archive.extractfile(member) if member.name.startswith(prefix) else None
            if file is not None:
                yield member.name.removeprefix(prefix), file.read()


def _text(content: bytes) -> str | None:
    if len(content) > _LONGEST_TEXT or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
