"""B10: a chain of five steps and 50 splits on a live Airflow, steps run by the worker, against the same as TaskFlow tasks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.bench.airflow_side import deploy, seconds_of_run
from tests.bench.bench import Bench
from tests.bench.outcome import Figure, at_most
from tests.services.airflow import LiveAirflow

_TIMES = 1.2
_CHAIN = """
    from airflow.sdk import dag, task

    @dag("taskflow_chain", schedule=None)
    def chain():
        @task
        def first():
            return 1

        @task
        def after(x):
            return x + 1

        x = first()
        for number in range(4):
            x = after.override(task_id=f"after_{number}")(x)

    chain()
"""
_SPLITS = """
    from airflow.sdk import dag, task

    @dag("taskflow_splits", schedule=None)
    def splits():
        @task
        def items():
            return list(range(50))

        @task
        def double(x):
            return 2 * x

        @task
        def total(values):
            assert sum(values) == 2450

        @task
        def end():
            pass

        total(double.expand(x=items())) >> end()

    splits()
"""
_OUR_CHAIN = """
from airflow_mlflow_provider import FlowSpec, step


class Chain(FlowSpec):
    @step
    def start(self):
        self.x = 1
        self.next(self.second)

    @step
    def second(self):
        self.x += 1
        self.next(self.third)

    @step
    def third(self):
        self.x += 1
        self.next(self.fourth)

    @step
    def fourth(self):
        self.x += 1
        self.next(self.end)

    @step
    def end(self):
        assert self.x == 4


if __name__ == "__main__":
    Chain()
"""
_OUR_SPLITS = """
from airflow_mlflow_provider import FlowSpec, step


class Splits(FlowSpec):
    @step
    def start(self):
        self.items = list(range(50))
        self.next(self.double, foreach="items")

    @step
    def double(self):
        self.doubled = 2 * self.input
        self.next(self.total)

    @step
    def total(self, inputs):
        assert sum(i.doubled for i in inputs) == 2450
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Splits()
"""


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with TaskFlow."""
    with LiveAirflow() as airflow:
        airflow.add_dag("taskflow_chain", _CHAIN)
        airflow.add_dag("taskflow_splits", _SPLITS)
        deploy(bench.side("ours"), airflow, "Chain", _OUR_CHAIN)
        deploy(bench.side("ours"), airflow, "Splits", _OUR_SPLITS)
        for work, ours, peer in (
            ("a chain of five steps", "Chain", "taskflow_chain"),
            ("a foreach of 50 splits", "Splits", "taskflow_splits"),
        ):
            for dag_id in (ours, peer):
                seconds_of_run(airflow, dag_id)
            samples = bench.alternate(
                partial(seconds_of_run, airflow, ours), partial(seconds_of_run, airflow, peer)
            )
            yield at_most(
                "B10", f"{work} on Airflow, steps in the worker, against TaskFlow tasks", samples, _TIMES
            )
