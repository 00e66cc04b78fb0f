"""The pickler for values that hold something without an importable name: a lambda, a closure, a local class."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

import cloudpickle


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """cloudpickle, except that what really is in ``__main__`` under its name is pickled as that name."""

    def reducer_override(self, obj: Any) -> Any:
        """How to pickle ``obj``; ``NotImplemented`` leaves it to the plain pickler."""
        if getattr(obj, "__module__", None) == "__main__" and _is_in_main(obj):
            return NotImplemented
        return super().reducer_override(obj)


def _is_in_main(obj: Any) -> bool:
    if not isinstance(obj, (FunctionType, type)):
        return False
    found: Any = sys.modules.get("__main__")
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj
