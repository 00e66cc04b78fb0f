"""This package as one file that Python imports from: a zip archive with the sources, and the bytecode of what steps import.

A pod starts with nothing of it. One file is written in a fraction of the time that hundreds take, and bytecode spares it the time to
compile. The bytecode is used without a look at its source, as an archive never changes; a Python that has another bytecode than the
one that made it passes it over and compiles.

The same files and the same Python always give the same archive: no times, no owners, and bytecode without the references by which
:mod:`marshal` says "as before", for these depend on what else the process holds.
"""

from __future__ import annotations

import io
import marshal
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path, PurePosixPath

# What a step's process may import. The others need Airflow, or a terminal.
_ROOMS = frozenset(("cards", "client", "configuration", "datatools", "flow", "plan", "runtime", "store"))
_HASH_BASED_AND_UNCHECKED = (0b01).to_bytes(4, "little")
_WITHOUT_REFERENCES = 2
_FIRST_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644


def own_home() -> Path:
    """What this package is imported from: a folder, or in a pod the archive."""
    return Path(__file__).resolve().parents[2]


def runtime_archive(files: Mapping[str, Path]) -> bytes:
    """The archive.

    Args:
        files: The files of this package by their path, which begins with the package's name.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            for member, content in _members(name, files[name].read_bytes()):
                entry = zipfile.ZipInfo(member, _FIRST_TIME)
                entry.create_system, entry.external_attr = _UNIX, _MODE << 16
                archive.writestr(entry, content)
    return buffer.getvalue()


def _members(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, content
    # Before Python 3.11 a constant set came in another order each time.
    if name.endswith(".py") and _is_imported_by_steps(PurePosixPath(name)) and sys.version_info >= (3, 11):
        code = compile(content, name, "exec", dont_inherit=True)
        head = MAGIC_NUMBER + _HASH_BASED_AND_UNCHECKED + source_hash(content)
        yield f"{name}c", head + marshal.dumps(code, _WITHOUT_REFERENCES)


def _is_imported_by_steps(name: PurePosixPath) -> bool:
    _, room, *inner = name.parts
    return not inner or room in _ROOMS
