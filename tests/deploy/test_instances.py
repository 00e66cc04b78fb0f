"""From a task instance of Airflow to the tasks that it stands for."""

from __future__ import annotations

import pytest

from airflow_mlflow_provider.client.summaries import manifest_of
from airflow_mlflow_provider.deploy.instances import Instance, instance_of
from airflow_mlflow_provider.plan.deployment import Deployment
from tests.flow_runs import FlowFile, FlowRun

NESTED = """
class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.letters = ["a", "b"]
        self.next(self.outer, foreach="letters")

    @step
    def outer(self):
        self.numbers = list(range(3 if self.input == "a" else 1))
        self.next(self.inner, foreach="numbers")

    @step
    def inner(self):
        self.next(self.again)

    @step
    def again(self):
        self.count = getattr(self, "count", 0) + 1
        self.go = "on" if self.count < 3 else "out"
        self.next({"on": self.again, "out": self.last}, condition="go")

    @step
    def last(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.all)

    @step
    def all(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    made = FlowFile(tmp_path_factory.mktemp("nested"), NESTED).run().succeeded()
    assert made.run
    return made


def found(run: FlowRun, task_id: str, map_index: int, width: int = 100) -> Instance | None:
    deployment = Deployment(manifest_of(run.ledger, run.record))
    return instance_of(run.ledger, deployment, run.run, task_id, map_index, width)


def tasks(run: FlowRun, task_id: str, map_index: int, width: int = 100) -> list[str]:
    """Ids of the tasks of an instance's first step."""
    instance = found(run, task_id, map_index, width)
    assert instance is not None
    return [task for task in run.ledger.tasks(run.flow, run.run, task_id) if instance.holds(task)]


def test_a_task_outside_every_foreach_stands_for_one(run: FlowRun) -> None:
    assert tasks(run, "start", -1) == ["0"]
    assert tasks(run, "end", -1) == ["0"]


def test_a_map_index_counts_the_index_paths_of_all_levels(run: FlowRun) -> None:
    assert [tasks(run, "outer", index) for index in range(2)] == [["0000"], ["0001"]]
    assert [tasks(run, "inner", index) for index in range(4)] == [
        ["0000-0000"],
        ["0000-0001"],
        ["0000-0002"],
        ["0001-0000"],
    ]
    instance = found(run, "inner", 3)
    assert instance is not None
    assert instance.label == "letters=b numbers=0"


def test_all_iterations_of_a_loop_are_one_instance(run: FlowRun) -> None:
    assert tasks(run, "again", 3) == ["0001-0000-i0000", "0001-0000-i0001", "0001-0000-i0002"]


def test_a_shard_stands_for_several_index_paths(run: FlowRun) -> None:
    assert tasks(run, "inner", 0, width=2) == ["0000-0000", "0000-0001"]
    assert tasks(run, "inner", 1, width=2) == ["0000-0002", "0001-0000"]


def test_what_runs_no_step_and_what_was_not_opened_stand_for_nothing(run: FlowRun) -> None:
    assert found(run, "plan-outer", -1) is None
    assert found(run, "exit-hook-1", -1) is None
    assert found(run, "inner", 4) is None
    assert found(run, "inner", -1) is None
