"""``@environment``: variables for a step's process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, overload

from airflow_mlflow_provider.flow.decorators.attributes import Fields, mapping
from airflow_mlflow_provider.flow.decorators.base import Problem, StepDecorator, StepFunction, decorate_step
from airflow_mlflow_provider.flow.decorators.lifecycle import DecoratedTask


class EnvironmentDecorator(StepDecorator):
    """Set environment variables for a step; see :func:`environment`."""

    name = "environment"
    fields: ClassVar[Fields] = {"vars": mapping({})}

    @property
    def variables(self) -> dict[str, str]:
        """The variables as the process sees them."""
        return {name: str(value) for name, value in (self.attributes["vars"] or {}).items()}

    def check(self) -> Iterator[Problem]:
        """Refuse what the operating system cannot hold."""
        for name, value in self.variables.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                yield self.bad_value("vars", name, "names without `=`, and values without NUL characters")

    def task_pre_step(self, task: DecoratedTask) -> None:
        """Set the variables."""
        self._before = replace_variables(self.variables)

    def task_finished(self, task: DecoratedTask) -> None:
        """Put the environment back."""
        restore_variables(vars(self).pop("_before", {}))


def replace_variables(variables: Mapping[str, str]) -> dict[str, str | None]:
    """Set environment variables; return what they were, ``None`` for those that were not set."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    return before


def restore_variables(before: Mapping[str, str | None]) -> None:
    """Undo :func:`replace_variables`."""
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@overload
def environment(function: StepFunction, /) -> StepFunction: ...
@overload
def environment(*, vars: Mapping[str, Any] = ...) -> Callable[[StepFunction], StepFunction]: ...
def environment(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: set environment variables before the step's code runs.

    Args:
        function: The step, for ``@environment`` without parentheses.
        vars: Values by name; values are turned into strings.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(EnvironmentDecorator, function, attributes)
