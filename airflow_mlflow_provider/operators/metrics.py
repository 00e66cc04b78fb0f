"""Metrics of steps and runs, through Airflow's own StatsD or OpenTelemetry exporter, whatever that is set to.

===================================  =======  ====================================================
name                                 kind     meaning
===================================  =======  ====================================================
``mlflow_provider.task.succeeded``   counter  tasks of a step that ended so; also ``failed``,
                                              ``caught`` (by ``@catch``)
``mlflow_provider.step.duration``    timer    ms that the operator took for a step's task instance
``mlflow_provider.run.succeeded``    counter  runs that ended so; also ``failed``
===================================  =======  ====================================================

Tags, where the exporter has any: ``flow``, and ``step`` for tasks.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from airflow.providers.common.compat.sdk import Stats

from airflow_mlflow_provider.runtime.request import UnitResult

PREFIX = "mlflow_provider"


def count_tasks(flow: str, step: str, result: UnitResult, seconds: float | None) -> None:
    """Count the tasks of a step by their outcomes.

    Args:
        flow: Name of the flow.
        step: Name of the step.
        result: How its tasks ended.
        seconds: What the operator took; ``None`` where it did not watch all of it.
    """
    tags = {"flow": flow, "step": step}
    for outcome, number in Counter(task.outcome for task in result.tasks).items():
        Stats.incr(f"{PREFIX}.task.{outcome}", number, tags=tags)
    if seconds is not None:
        Stats.timing(f"{PREFIX}.step.duration", timedelta(seconds=seconds), tags=tags)


def count_run(flow: str, verdict: str) -> None:
    """Count a run that has ended.

    Args:
        flow: Name of the flow.
        verdict: ``succeeded`` or ``failed``.
    """
    Stats.incr(f"{PREFIX}.run.{verdict}", tags={"flow": flow})
