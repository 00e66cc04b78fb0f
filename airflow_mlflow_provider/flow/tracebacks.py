"""Tracebacks as users want them: without the frames of this package that called their code."""

from __future__ import annotations

from types import TracebackType

from airflow_mlflow_provider.flow.location import is_own_file


def users_part(frames: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame outside this package; the whole of it if there is none."""
    found = frames
    while found is not None and is_own_file(found.tb_frame.f_code.co_filename):
        found = found.tb_next
    return found or frames
