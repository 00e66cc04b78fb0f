"""Files of this machine that are written as a whole: who reads one finds the old content or the new."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_whole(file: Path, parts: Iterable[bytes], *, mode: int = 0o600, durable: bool = False) -> None:
    """Write a file, or put it in the place of the one that is there; its folder is made.

    In the making it is a hidden file that ends in ``.part``, and nothing is left of that if it fails.

    Args:
        file: Which one.
        parts: Its content.
        mode: Who may read and write it.
        durable: Whether it must be there also if the machine stops the moment after.

    Raises:
        OSError: It cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", suffix=".part", dir=file.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as made:
            made.writelines(parts)
            if durable:
                made.flush()
                os.fsync(made.fileno())
        partial.chmod(mode)
        partial.replace(file)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
