"""Transitions that cannot be taken when they run: the error names the step, the place and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
    class Wrong(FlowSpec):
        how = Parameter("how", default="")

        def go(self, target):
            self.next(target)

        @step
        def start(self):
            self.itemz = [1]
            self.items = [1]
            self.answer = "yes"
            self.next(self.middle)

        @step
        def middle(self):
            self.widht = 1
            if self.how == "unset":
                del self.items
            if self.how == "scalar":
                self.items = 5
            if self.how == "empty":
                self.items = ()
            if self.how == "wide":
                self.items = range(12)
            if self.how == "none":
                return  # early
            for number in range(3):
                if self.how == "inner" and number == 1:
                    return  # inner
            if self.how == "other":
                self.go(self.end)
                return
            if self.how == "twice":
                self.go(self.body)
            self.next(self.body, foreach="items")

        @step
        def body(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.answer = {"type": 1, "case": "maybe"}.get(self.how, "1")
            if self.how == "unset condition":
                del self.answer
            self.next({"1": self.yes, "no": self.no}, condition="answer")

        @step
        def yes(self):
            self.next(self.end)

        @step
        def no(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> FlowFile:
    return FlowFile(tmp_path_factory.mktemp("wrong"), SOURCE)


def failing(flow: FlowFile, how: str, *options: str) -> FlowRun:
    return flow.run("--how", how, *options).failed()


@pytest.mark.parametrize(
    ("how", "kind", "told", "line_of"),
    [
        ("scalar", "InvalidNextException", ["self.items", "int"], 'self.next(self.body, foreach="items")'),
        ("empty", "InvalidNextException", ["self.items", "tuple", "no elements"], 'foreach="items"'),
        ("unset", "InvalidNextException", ["self.items", "itemz", "start"], 'foreach="items"'),
        ("none", "InvalidNextException", ["middle", "ended here without self.next()"], "return  # early"),
        ("inner", "InvalidNextException", ["middle", "ended here without self.next()"], "return  # inner"),
        ("twice", "InvalidNextException", ["twice"], 'foreach="items"'),
        ("other", "MetaflowInternalError", ["body", "end"], "self.next(target)"),
    ],
)
def test_a_transition_that_cannot_be_taken_names_step_place_and_cause(
    flow: FlowFile, how: str, kind: str, told: list[str], line_of: str
) -> None:
    run = failing(flow, how)
    error = run.error("middle")
    assert kind in error.partition(":")[0]
    for text in ["middle", *told]:
        assert text in error
    assert f"flow.py:{flow.line_of(line_of)}" in error or f"line {flow.line_of(line_of)}" in error
    assert kind in run.stdout + run.stderr


def test_an_empty_foreach_says_how_it_is_allowed(flow: FlowFile) -> None:
    run = failing(flow, "empty")
    assert "allow_empty=True" in run.text("middle", "stderr")


def test_an_empty_foreach_is_allowed_by_configuration(flow: FlowFile) -> None:
    environment = {"AIRFLOW__MLFLOW_PROVIDER__EMPTY_FOREACH": "skip"}
    run = flow.run("--how", "empty", environment=environment).succeeded()
    assert run.records("body") == []


def test_a_foreach_wider_than_allowed_names_variable_widths_and_option(flow: FlowFile) -> None:
    run = failing(flow, "wide", "--max-num-splits", "11")
    error = run.error("middle")
    assert "TaskFailed" in error.partition(":")[0]
    for text in ("middle", "self.items", "12", "11"):
        assert text in error
    assert "--max-num-splits" in run.text("middle", "stderr")
    assert len(flow.run("--how", "wide", "--max-num-splits", "12").succeeded().records("body")) == 12


@pytest.mark.parametrize(
    ("how", "told"), [("type", ["1 (int)", "'1' (str)", "'no' (str)"]), ("case", ["'maybe' (str)"])]
)
def test_a_value_that_is_no_case_is_named_with_its_type_and_the_cases(
    flow: FlowFile, how: str, told: list[str]
) -> None:
    error = failing(flow, how).error("join")
    assert "SwitchCaseError" in error.partition(":")[0]
    for text in ["join", "self.answer", *told]:
        assert text in error


def test_a_condition_that_is_not_set_is_named(flow: FlowFile) -> None:
    error = failing(flow, "unset condition").error("join")
    assert "InvalidNextException" in error.partition(":")[0]
    assert "self.answer" in error


def test_a_loop_without_end_is_stopped_at_the_limit(tmp_path: Path) -> None:
    source = """
        class Endless(FlowSpec):
            @step
            def start(self):
                self.next(self.turn)

            @step
            def turn(self):
                self.again = True
                self.next({True: self.turn, False: self.end}, condition="again")

            @step
            def end(self):
                pass
    """
    run = FlowFile(tmp_path, source).run("--max-iterations", "3").failed()
    records = run.records("turn")
    assert [(record.iteration, record.outcome) for record in records] == [
        (0, "succeeded"),
        (1, "succeeded"),
        (2, "failed"),
    ]
    assert "at most 3 iterations" in str(records[-1].exception)
    assert "--max-iterations" in run.text("turn", "stderr", records[-1].key.task)
