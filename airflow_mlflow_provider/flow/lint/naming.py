"""How messages name things."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def listed(names: Iterable[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, final = list(names) or ["none"]
    return f"{', '.join(most)} {last} {final}" if most else final


def counted(number: int, noun: str) -> str:
    """``1 target``, ``2 targets``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def close_matches(name: str, possible: Iterable[str]) -> list[str]:
    """The names that ``name`` may be a misspelling of, closest first."""
    return difflib.get_close_matches(name, list(possible), 3, 0.6)


def suggestion(name: str, possible: Iterable[str]) -> str:
    """`` Did you mean …?``, or nothing."""
    close = close_matches(name, possible)
    return f" Did you mean {listed(close, 'or')}?" if close else ""
