"""Task processes that die, or are made to: how they are signalled, what is said and recorded of them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from airflow_mlflow_provider.exception import TimeoutException
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.store.records import DoneRecord, ExceptionRecord

_TIMEOUT = f"{TimeoutException.__module__}.{TimeoutException.__qualname__}"


def record_of_death(assignment: Assignment, cause: str, *, timed_out: bool = False) -> DoneRecord:
    """The record of an attempt whose process ended without one.

    Args:
        assignment: The attempt.
        cause: What its process died of.
        timed_out: Whether it was killed because it went on after its time limit.
    """
    now = time.time()
    return DoneRecord(
        key=assignment.key,
        outcome="failed",
        started_at=now,
        ended_at=now,
        index_path=assignment.index_path,
        iteration=assignment.iteration,
        parents=assignment.parents or (),
        exception=ExceptionRecord(_TIMEOUT if timed_out else "process", cause),
    )


def describe_status(status: int) -> str:
    """A wait status in words: the signal, or the exit code."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
        hint = " (out of memory?)" if number == signal.SIGKILL else ""
        return f"the process was killed by {name}{hint}"
    return f"the process exited with code {os.WEXITSTATUS(status)} without a record"


def signal_group(pid: int, sig: signal.Signals) -> None:
    """Signal a task process and its own children, if it still lives."""
    if pid > 0:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, sig)
