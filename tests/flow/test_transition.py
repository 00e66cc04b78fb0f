"""`self.next(...)`: every legal form is understood, every other one is refused with its place and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_mlflow_provider import FlowSpec, step
from airflow_mlflow_provider.exception import InvalidNextException, MetaflowException
from airflow_mlflow_provider.flow.graph import StepNode, Transition
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE
from airflow_mlflow_provider.flow.transition import NextCall, agrees, choose
from airflow_mlflow_provider.runtime.bound_task import BoundTask
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.location import open_store


class Calls(FlowSpec):
    """Steps to go to."""

    @step
    def start(self) -> None:
        """Begin."""

    @step
    def train(self) -> None:
        """Train."""

    @step
    def evaluate(self) -> None:
        """Evaluate."""

    def helper(self) -> None:
        """Not a step."""


class Other(FlowSpec):
    """Another flow."""

    @step
    def elsewhere(self) -> None:
        """Not ours."""


@pytest.fixture
def flow() -> Calls:
    running = Calls(use_cli=False)
    running.__dict__[TASK_ATTRIBUTE] = BoundTask(
        "start", ArtifactReader(open_store("memory://transition")), {}
    )
    return running


def asked(flow: Calls) -> NextCall:
    """What the call asked for."""
    call = flow.__dict__[TASK_ATTRIBUTE].next_call
    assert isinstance(call, NextCall)
    return call


@pytest.mark.parametrize(
    ("arguments", "keywords", "expected"),
    [
        (("train",), {}, {"kind": "linear", "targets": ("train",)}),
        (("train", "evaluate"), {}, {"kind": "static", "targets": ("train", "evaluate")}),
        (("train",), {"foreach": "items"}, {"kind": "foreach", "foreach": "items", "allow_empty": False}),
        (("train",), {"foreach": "items", "allow_empty": True}, {"kind": "foreach", "allow_empty": True}),
        (("train",), {"num_parallel": 3}, {"kind": "parallel", "num_parallel": 3}),
    ],
)
def test_each_form_is_understood(
    flow: Calls, arguments: tuple[str, ...], keywords: dict[str, Any], expected: dict[str, Any]
) -> None:
    flow.next(*(getattr(flow, name) for name in arguments), **keywords)
    call = asked(flow)
    assert {name: getattr(call, name) for name in expected} == expected
    assert call.file == __file__


def test_a_switch_keeps_its_cases_and_names_each_target_once(flow: Calls) -> None:
    flow.next({"a": flow.train, 2: flow.evaluate, True: flow.train}, condition="answer")
    call = asked(flow)
    assert (call.kind, call.condition) == ("switch", "answer")
    assert call.targets == ("train", "evaluate")
    assert call.cases == {"a": "train", 2: "evaluate", True: "train"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda f: f.next(), ["names no step"]),
        (lambda f: f.next(f.train, forech="items"), ["'forech'", "foreach"]),
        (lambda f: f.next(f.train, foreach="a", num_parallel=2), ["foreach and num_parallel"]),
        (lambda f: f.next({"a": f.train}, condition="x", foreach="y"), ["foreach and condition"]),
        (lambda f: f.next(f.train, foreach=["a"]), ["foreach=['a']", "list"]),
        (lambda f: f.next(f.train, f.evaluate, foreach="a"), ["2 steps"]),
        (lambda f: f.next(f.train, f.evaluate, num_parallel=2), ["2 steps"]),
        (lambda f: f.next(f.train, num_parallel=0), ["num_parallel=0"]),
        (lambda f: f.next(f.train, num_parallel=-1), ["num_parallel=-1"]),
        (lambda f: f.next(f.train, num_parallel=True), ["num_parallel=True"]),
        (lambda f: f.next(f.train, num_parallel="2"), ["num_parallel='2'"]),
        (lambda f: f.next(f.train, condition="x"), ["one non-empty dict"]),
        (lambda f: f.next({}, condition="x"), ["one non-empty dict", "{}"]),
        (lambda f: f.next({"a": f.train}, {"b": f.train}, condition="x"), ["one non-empty dict"]),
        (lambda f: f.next({"a": f.train}), ["without condition="]),
        (lambda f: f.next({"a": f.train}, condition=1), ["condition=1", "int"]),
        (lambda f: f.next("train"), ["argument 1", "'train'", "not a step", "close: train"]),
        (lambda f: f.next(f.train, f.helper), ["argument 2", "self.helper", "@step"]),
        (lambda f: f.next(Other(use_cli=False).elsewhere), ["argument 1", "not a step of this flow"]),
        (lambda f: f.next({"a": "evaluat"}, condition="x"), ["'evaluat'", "close: evaluate"]),
        (lambda f: f.next(len), ["argument 1", "len"]),
    ],
)
def test_a_call_without_a_legal_form_names_step_place_and_what_is_wrong(
    flow: Calls, make: Any, told: list[str]
) -> None:
    with pytest.raises(InvalidNextException) as caught:
        make(flow)
    error = caught.value
    text = f"{error} {error.fix}"
    for each in ["start", "Calls", __file__, *told]:
        assert each in text
    assert error.lineno == make.__code__.co_firstlineno
    assert error.where == {"flow": "Calls", "step": "start"}


def test_a_second_call_names_both_lines(flow: Calls) -> None:
    flow.next(flow.train)
    first = asked(flow).line
    with pytest.raises(InvalidNextException) as caught:
        flow.next(flow.evaluate)
    assert f"line {first}" in str(caught.value)
    assert str(caught.value.lineno) in str(caught.value)
    assert caught.value.lineno == first + 3


def test_a_call_outside_a_running_step_says_so() -> None:
    with pytest.raises(MetaflowException, match="outside a running step"):
        Calls(use_cli=False).next()


@pytest.mark.parametrize(
    ("cases", "value", "target"),
    [
        ({1: "one", "1": "text"}, 1, "one"),
        ({1: "one", "1": "text"}, "1", "text"),
        ({1: "one", 2: "two"}, True, "one"),
        ({True: "yes", False: "no"}, 0, "no"),
        ({"a": "one"}, "b", None),
        ({1.5: "one"}, None, None),
    ],
)
def test_the_case_that_equals_the_value_is_chosen(
    cases: dict[Any, str], value: Any, target: str | None
) -> None:
    call = NextCall(kind="switch", targets=tuple(cases.values()), condition="x", cases=cases)
    assert choose(call, value) == target


def test_a_call_agrees_with_the_graph_if_kind_targets_and_variable_do() -> None:
    node = StepNode("start", transition=Transition("foreach", ("train",), foreach="items", line=3))
    call = NextCall(kind="foreach", targets=("train",), foreach="items", line=9)
    assert agrees(call, node)
    assert not agrees(NextCall(kind="foreach", targets=("train",), foreach="others"), node)
    assert not agrees(NextCall(kind="linear", targets=("train",)), node)
    assert not agrees(call, StepNode("end"))
