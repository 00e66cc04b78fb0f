# ruff: noqa: ANN001, ANN201, ANN202
# mypy: ignore-errors
"""XComs over retries, clears, deferrals, and many tasks that push one value at the same time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, Param, dag, get_current_context, task

N = 5000


class Deferring(BaseOperator):
    """Pushes, defers, and finds what it pushed."""

    def execute(self, context):
        context["ti"].xcom_push("before", np.arange(N))
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=0)), method_name="go_on")

    def go_on(self, context, event=None):
        before = context["ti"].xcom_pull(task_ids=self.task_id, key="before")
        return before * 2


@dag(schedule=None, params={"file": Param("", type="string")})
def xcom_attempts():
    @task(retries=1, retry_delay=timedelta(0))
    def shaky():
        ti = get_current_context()["ti"]
        if ti.try_number == 1:
            ti.xcom_push("first try", np.full(N, -1))
            raise ValueError("told to fail")
        assert ti.xcom_pull(task_ids="shaky", key="first try") is None
        return np.full(N, ti.try_number)

    @task
    def from_file(params):
        return np.full(N, int(Path(params["file"]).read_text()))

    @task
    def read(tried, value, deferred):
        assert deferred[-1] == 2 * (N - 1)
        return [int(tried[0]), int(value[0])]

    @task
    def same(n):
        return np.full(N, 77)

    @task
    def count(values):
        return [len({int(value[0]) for value in values}), len(list(values))]

    read(shaky(), from_file(), Deferring(task_id="deferring").output)
    count(same.expand(n=list(range(12))))


xcom_attempts()
