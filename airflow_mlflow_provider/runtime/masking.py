"""Hiding the values of secrets in what is kept of a task: its logs, the text of its exception."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "***"
# As Airflow's masker: hiding "1" or "true" would hide nothing but the log's meaning.
SHORTEST: Final = 5


class Mask:
    """Replaces secrets by ``***``; at first it knows none."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._text: re.Pattern[str] | None = None
        self._bytes: re.Pattern[bytes] | None = None

    def add(self, values: Iterable[str]) -> None:
        """Hide these values from now on, and each line of those that have several; short ones are left alone."""
        parts = (part.strip() for value in values for part in (value, *value.splitlines()))
        self._known.update(part for part in parts if len(part) >= SHORTEST)
        if self._known:
            # The longest first: one may be the beginning of another.
            found = sorted(self._known, key=len, reverse=True)
            self._text = re.compile("|".join(map(re.escape, found)))
            self._bytes = re.compile(b"|".join(re.escape(part.encode()) for part in found))

    def text(self, text: str) -> str:
        """A text without the secrets."""
        return text if self._text is None else self._text.sub(HIDDEN, text)

    def line(self, line: bytes) -> bytes:
        """A line without the secrets."""
        return line if self._bytes is None else self._bytes.sub(HIDDEN.encode(), line)
