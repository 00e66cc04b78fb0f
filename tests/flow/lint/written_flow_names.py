"""Plain functions that the flows of these tests import."""

from __future__ import annotations

from typing import Any


def load_data() -> list[int]:
    """A function of a module."""
    return [1]


def fill(flow: Any) -> None:
    """Set an artifact of a flow."""
    flow.a = 1
