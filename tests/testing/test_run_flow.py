"""`run_flow` runs a flow of a test's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider import FlowSpec, Parameter, step
from airflow_mlflow_provider.exception import CommandException, TaskFailed
from airflow_mlflow_provider.testing import run_flow


class Doubling(FlowSpec):
    number = Parameter("the-number", default=1)

    @step
    def start(self) -> None:
        self.doubled = self.number * 2
        self.next(self.end)

    @step
    def end(self) -> None:
        if self.doubled < 0:
            raise ValueError("negative numbers are not doubled")


def test_a_class_of_a_test_is_run_with_parameters() -> None:
    run = run_flow(Doubling, the_number=21)

    assert run.data is not None
    assert run.data.doubled == 42
    assert run_flow(Doubling).data.doubled == 2  # type: ignore[union-attr]


def test_a_failed_run_shows_why() -> None:
    with pytest.raises(TaskFailed, match="negative numbers are not doubled"):
        run_flow(Doubling, the_number=-1)


def test_a_class_inside_of_a_function_is_refused() -> None:
    class Inner(FlowSpec):
        pass

    with pytest.raises(CommandException, match="top level"):
        run_flow(Inner)


def test_a_file_is_run(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    file.write_text(
        "from airflow_mlflow_provider import FlowSpec, step\n"
        "class Filed(FlowSpec):\n    @step\n    def start(self):\n        self.x = 1\n\nFiled()\n"
    )

    run = run_flow(file)

    assert run.data is not None
    assert run.data.x == 1
