# ruff: noqa: ANN001, ANN201, ANN202, ANN204
# mypy: ignore-errors
"""A value that says where it is unpickled. Pickles are allowed in the tasks of this file alone."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import Param, dag, task

os.environ["AIRFLOW__MLFLOW_PROVIDER__XCOM_ALLOW_PICKLE"] = "true"


def wake(file, number):
    import setproctitle

    with Path(file).open("a") as out:
        out.write(f"{os.getpid()} {setproctitle.getproctitle()}\n")
    return Tattler(file, number)


class Tattler:
    """Writes to a file whenever it is unpickled."""

    def __init__(self, file, number):
        self.file, self.number = file, number

    def __reduce__(self):
        return wake, (self.file, self.number)


@dag(schedule=None, params={"file": Param("", type="string")})
def xcom_pickles():
    @task
    def make(params):
        return [Tattler(params["file"], 3)]

    @task
    def model():
        from sklearn.linear_model import LinearRegression

        return LinearRegression().fit([[0], [1]], [0, 2])

    @task
    def use(tattlers, model):
        return tattlers[0].number + round(float(model.predict([[10]])[0]))

    use(make(), model())


xcom_pickles()
