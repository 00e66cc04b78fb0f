"""Calling a step's function, and which of its lines ran last."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, FlowSpec


def call_step(flow: FlowSpec, name: str, inputs: Any = None) -> Any:
    """Call a step's function, and note on its task which line ran last.

    A profile function sees the call begin, keeps its frame and removes itself: a frame knows its line after it has returned. So
    the step's code runs unwatched, for some 10 µs a task.

    Args:
        flow: The flow's instance, bound to a running task.
        name: The step.
        inputs: The inputs of a join, else ``None``.
    """
    function = getattr(type(flow), name)
    arguments = (flow,) if inputs is None else (flow, inputs)
    if sys.getprofile() is not None:
        # Somebody profiles this process, and there can be one at a time.
        return function(*arguments)
    frame: FrameType | None = None

    def keep(called: FrameType, event: str, argument: Any) -> None:
        nonlocal frame
        if event == "call":
            sys.setprofile(None)
            # Of a function that stands around the step's own, no line says where the step ended.
            frame = called if called.f_code.co_name == name else None

    sys.setprofile(keep)
    try:
        return function(*arguments)
    finally:
        if sys.getprofile() is keep:
            sys.setprofile(None)
        if frame is not None:
            vars(flow)[TASK_ATTRIBUTE].last_line = frame.f_lineno
