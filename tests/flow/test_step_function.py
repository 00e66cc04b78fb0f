"""Calling a step's function: the line that ran last is known, and profilers are left alone."""

from __future__ import annotations

import functools
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, FlowSpec
from airflow_mlflow_provider.flow.step_function import call_step


def around(function: Any) -> Any:
    """A decorator that calls what it stands on."""

    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


class Lines(FlowSpec):
    """Its functions end where they are told to, and give the line."""

    def plain(self, inputs: Any) -> int:
        for number in inputs:
            if number == 3:
                return sys._getframe().f_lineno
        return sys._getframe().f_lineno

    def raising(self) -> None:
        raise ValueError("here")

    @around
    def wrapped(self) -> None:
        pass


@pytest.fixture
def flow() -> Any:
    made = Lines(use_cli=False)
    vars(made)[TASK_ATTRIBUTE] = SimpleNamespace(last_line=None)
    return made


def last_line(flow: Any) -> Any:
    return vars(flow)[TASK_ATTRIBUTE].last_line


@pytest.mark.parametrize("inputs", [[1, 2], [1, 3, 5]])
def test_the_line_that_ran_last_is_noted(flow: Any, inputs: list[int]) -> None:
    assert call_step(flow, "plain", inputs) == last_line(flow)
    assert sys.getprofile() is None


def test_a_step_that_raises_ends_where_it_raised(flow: Any) -> None:
    with pytest.raises(ValueError, match="here") as raised:
        call_step(flow, "raising")
    assert last_line(flow) == raised.traceback[-1].lineno + 1


def test_no_line_is_said_of_a_function_around_the_step(flow: Any) -> None:
    call_step(flow, "wrapped")
    assert last_line(flow) is None


def test_a_profiler_that_runs_stays(flow: Any) -> None:
    events: list[str] = []

    def profiler(frame: Any, event: str, argument: Any) -> None:
        events.append(frame.f_code.co_name)

    sys.setprofile(profiler)
    try:
        call_step(flow, "plain", [])
        kept = sys.getprofile()
    finally:
        sys.setprofile(None)
    assert kept is profiler
    assert "plain" in events
    assert last_line(flow) is None
