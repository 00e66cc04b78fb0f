"""The log of an attempt."""

from __future__ import annotations

from pydantic import BaseModel


class LogLineView(BaseModel):
    """A line.

    Attributes:
        time: When it was captured, in Unix seconds.
        source: ``task``, or ``runtime`` for a note of ours.
        text: The line.
    """

    time: float
    source: str
    text: str


class LogPage(BaseModel):
    """Some lines of a log, oldest first.

    Attributes:
        lines: The lines.
        begin: Byte of the stored log at which they begin; asks for what is before.
        next: Byte at which the next page begins, also while nothing is there yet.
        size: Bytes that are stored now.
    """

    lines: list[LogLineView]
    begin: int
    next: int
    size: int
