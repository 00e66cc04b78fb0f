"""Tracebacks as users want them: without the frames of this package that called their code."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

_OWN = str(Path(__file__).parent.parent)


def users_part(frames: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame outside this package; the whole of it if there is none."""
    found = frames
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_OWN):
        found = found.tb_next
    return found or frames
