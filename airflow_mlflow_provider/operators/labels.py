"""What Airflow's UI shows of a mapped instance instead of its index, while the task runs."""

from __future__ import annotations

import time
from typing import Final

# A loop may take milliseconds for an iteration; nobody reads that fast.
_PAUSE_S: Final = 2.0


class InstanceLabel:
    """The label of one try of a task instance: that of its split, and the iteration that its loop is in.

    Args:
        split: Label of the split; ``""`` outside every foreach.
    """

    def __init__(self, split: str) -> None:
        self._split = split
        self._iteration: int | None = None
        self._shown_at = 0.0

    def __str__(self) -> str:
        if self._iteration is None:
            return self._split
        return f"{self._split} iteration {self._iteration}".lstrip()

    def reached(self, iteration: int) -> None:
        """The loop has begun an iteration: the UI is told, unless it was told a moment ago.

        Args:
            iteration: Which, from 0.
        """
        self.ended_with(iteration)
        if self._split and time.monotonic() - self._shown_at >= _PAUSE_S:
            _show(str(self))
            self._shown_at = time.monotonic()

    def ended_with(self, iteration: int) -> None:
        """The last iteration was this one, which the label shows from the end of the task on."""
        self._iteration = iteration


def _show(label: str) -> None:
    """Send a label at once; an Airflow that takes one only at the end of a task is not told."""
    try:
        from airflow.sdk.execution_time.comms import SetRenderedMapIndex
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS
    except ImportError:
        return
    SUPERVISOR_COMMS.send(SetRenderedMapIndex(rendered_map_index=label))
