"""BLAKE3 digests: what names a blob and proves that bytes are those that were stored."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PARALLEL_BYTES = 4 << 20
_MOST_THREADS = 16


def digest_of(parts: Iterable[Buffer], size: int) -> str:
    """Digest of ``parts`` one after another, as 64 hex digits.

    Args:
        parts: The bytes, contiguous each.
        size: How many there are in all; large amounts are hashed by several threads.
    """
    from blake3 import blake3

    # An explicit number of threads makes a pool for this one call. AUTO would use a pool of the process, which a
    # forked child inherits without its threads and waits for for ever.
    hasher = blake3(max_threads=processors() if size >= _PARALLEL_BYTES else 1)
    for part in parts:
        hasher.update(part)
    return hasher.hexdigest()


def processors() -> int:
    """How many processors this process may use, at most 16."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _MOST_THREADS)
