"""The ``@step`` decorator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar, overload

from airflow_mlflow_provider.exception import BadStepDecoratorException

StepFunction = TypeVar("StepFunction", bound=Callable[..., Any])


@overload
def step(f: StepFunction) -> StepFunction: ...


@overload
def step(
    f: None = None,
    *,
    start: bool = False,
    end: bool = False,
    node_info: Mapping[str, Any] | None = None,
) -> Callable[[StepFunction], StepFunction]: ...


def step(
    f: StepFunction | None = None,
    *,
    start: bool = False,
    end: bool = False,
    node_info: Mapping[str, Any] | None = None,
) -> StepFunction | Callable[[StepFunction], StepFunction]:
    """Mark a method of a flow as a step.

    Args:
        f: The method: ``(self)``, or ``(self, inputs)`` for a join.
        start: The flow starts here, whatever the step's name.
        end: The flow ends here, whatever the step's name.
        node_info: JSON values of the author's own, kept with the graph.

    Raises:
        BadStepDecoratorException: ``f`` is not a function.
    """

    def mark(function: StepFunction) -> StepFunction:
        if not isinstance(function, FunctionType):
            raise BadStepDecoratorException(
                f"@step stands on {function!r}, which is not a method.",
                fix="Put @step right above a `def` in the flow's class.",
            )
        attributes: dict[str, Any] = {
            "is_step": True,
            "step_name": function.__name__,
            "step_start": start,
            "step_end": end,
            "step_node_info": dict(node_info or {}),
            "decorators": [],
            "user_decorators": [],
        }
        vars(function).update(attributes)
        return function

    return mark if f is None else mark(f)
