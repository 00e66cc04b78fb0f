"""``profile``: how long a block takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager


@contextmanager
def profile(label: str, stats_dict: MutableMapping[str, float] | None = None) -> Iterator[None]:
    """Tell how long a block takes, in milliseconds.

    Args:
        label: Name of the block.
        stats_dict: Where the time is added to what stands under the label; it is printed if there is none.
    """
    if stats_dict is None:
        print(f"PROFILE: {label} starting")  # noqa: T201 - that is what it is for
    began = time.perf_counter()
    try:
        yield
    finally:
        took = (time.perf_counter() - began) * 1000
        if stats_dict is None:
            print(f"PROFILE: {label} completed in {took:.0f}ms")  # noqa: T201
        else:
            stats_dict[label] = stats_dict.get(label, 0) + took
