"""A store that counts the requests made of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

_REQUESTS = ("get", "get_many", "get_versioned", "put", "replace", "info", "list", "children", "delete")


class CountingStore:
    """Hands everything on to another store and counts.

    Args:
        inner: The store.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.requests: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in _REQUESTS:
            return found

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.requests[name] += 1
            return found(*args, **kwargs)

        return counted
