# ruff: noqa: ANN001, ANN201, ANN202, C901
# mypy: ignore-errors
"""Values of every kind through Airflow's own ways of passing them; each consumer checks what it gets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from airflow.sdk import dag, get_current_context, task

N = 5000


@dag(schedule=None)
def xcom_values():
    @task
    def array():
        return np.arange(N, dtype="f4").reshape(50, -1)

    @task
    def frame():
        return pd.DataFrame({"x": np.arange(N), "day": pd.date_range("2026-01-01", periods=N, freq="min")})

    @task
    def polars_frame():
        return pl.DataFrame({"x": range(N), "word": ["w"] * N})

    @task
    def table():
        return pa.table({"x": list(range(N)), "lists": [[1, 2]] * N})

    @task(multiple_outputs=True)
    def outputs():
        return {"weights": np.ones(N), "name": "model", "nested": {"rows": [b"x" * N, (1, None)]}}

    @task
    def check(array, frame, polars_frame, table, weights, name, nested):
        assert array.dtype == np.dtype("f4")
        assert array.shape == (50, N // 50)
        array += 1  # what is loaded may be changed
        assert list(frame.columns) == ["x", "day"]
        assert str(frame["day"].dtype).startswith("datetime64")
        assert polars_frame["x"].sum() == table["x"].to_pandas().sum() == N * (N - 1) // 2
        assert table.num_rows == N
        assert (weights.sum(), name, nested) == (N, "model", {"rows": [b"x" * N, (1, None)]})
        return "checked"

    @task
    def numbers():
        return [{"n": n} for n in range(4)]

    @task
    def column(n):
        if n == 2:
            from airflow.sdk.exceptions import AirflowSkipException

            raise AirflowSkipException
        return np.full(N, n)

    @task(trigger_rule="none_failed")
    def total(columns):
        assert len(columns) == 3
        assert [int(part[0]) for part in columns] == [0, 1, 3]
        assert int(columns[-1][0]) == 3
        return int(sum(part.sum() for part in columns))

    @task(trigger_rule="none_failed")
    def halves(column):
        return column[: N // 2]

    @task(trigger_rule="none_failed")
    def pulls():
        ti = get_current_context()["ti"]
        both = ti.xcom_pull(task_ids=["array", "frame"])
        assert isinstance(both[0], np.ndarray)
        assert isinstance(both[1], pd.DataFrame)
        assert [int(part[0]) for part in ti.xcom_pull(task_ids=["column"])] == [0, 1, 3]
        assert int(ti.xcom_pull(task_ids="column", map_indexes=3)[0]) == 3
        assert ti.xcom_pull(task_ids="outputs", key="weights").sum() == N
        assert ti.xcom_pull(task_ids="outputs", key="no such key") is None
        ti.xcom_push("mine", np.zeros(N))
        assert ti.xcom_pull(task_ids="pulls", key="mine").sum() == 0
        return "pulled"

    found = outputs()
    columns = column.expand_kwargs(numbers())
    first, second = array(), frame()
    check(first, second, polars_frame(), table(), found["weights"], found["name"], found["nested"])
    total(columns)
    halves.expand(column=columns)
    [first, second, columns, found] >> pulls()


xcom_values()
