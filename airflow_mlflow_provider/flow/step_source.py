"""The steps of a flow class as written: functions, signatures and the calls of ``self.next`` in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.source_file import FunctionNode, SourceFile, source_of
from airflow_mlflow_provider.flow.written_call import WrittenCall, calls_in


class StepSource(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One step as written.

    Attributes:
        name: Name of the step.
        function: What the class holds under that name.
        owner: The class whose body defines it.
        file: The file it stands in.
        node: Its definition.
        decorators: Its built-in decorators, in source order; those that mutators and ``--with`` added included.
        user_decorators: Its step decorators of the user's own.
    """

    name: str
    function: Any
    owner: type
    file: SourceFile
    node: FunctionNode
    decorators: tuple[Any, ...] = ()
    user_decorators: tuple[Any, ...] = ()

    @property
    def arguments(self) -> list[ast.arg]:
        """Positional arguments."""
        return [*self.node.args.posonlyargs, *self.node.args.args]

    @property
    def self_name(self) -> str:
        """Name of the first argument."""
        return self.arguments[0].arg if self.arguments else "self"

    @property
    def inputs_name(self) -> str | None:
        """Name of the second argument of a join, ``None`` for other steps."""
        return self.arguments[1].arg if len(self.arguments) > 1 else None

    @cached_property
    def calls(self) -> tuple[WrittenCall, ...]:
        """Every ``self.next(...)``, in source order."""
        return calls_in(self.node, self.self_name, self.file)

    @property
    def tail(self) -> WrittenCall | None:
        """The call that is the last statement, or ``None``."""
        return self.calls[-1] if self.calls and self.calls[-1].place == "last" else None

    @cached_property
    def competing(self) -> tuple[WrittenCall, ...]:
        """Calls that say something else than :attr:`tail`; all calls if there is none."""
        tail = self.tail
        if tail is None or len(self.calls) == 1:
            return () if tail else self.calls
        meant = ast.dump(tail.node)
        return tuple(call for call in self.calls if call is not tail and ast.dump(call.node) != meant)

    @property
    def line(self) -> int:
        """1-based line of the ``def``."""
        return self.node.lineno

    @property
    def is_parallel(self) -> bool:
        """Whether the step carries ``@parallel`` or a decorator that stands for it."""
        return any(getattr(decorator, "IS_PARALLEL", False) for decorator in self.decorators)

    def marked(self, what: str) -> bool:
        """Whether the step was marked as ``"start"`` or ``"end"``."""
        return bool(getattr(self.function, f"step_{what}", False))


def is_step(value: object) -> bool:
    """Whether a class attribute is a step; looks at instance dictionaries only, so that no user code runs."""
    if isinstance(value, FunctionType):
        return vars(value).get("is_step") is True
    return callable(value) and not isinstance(value, type) and _marks(value).get("is_step") is True


def steps_of(flow_class: type) -> dict[str, StepSource]:
    """Steps of a flow by name, bases first, each class in the order of its body.

    Raises:
        MetaflowException: The source of a step is not available.
    """
    from airflow_mlflow_provider.flow.effective import effective_flow

    effective = effective_flow(flow_class)
    found: dict[str, StepSource] = {}
    for name, function, owner in _defined(flow_class):
        marks = _marks(function)
        above = (marks.get("decorators", ()), marks.get("user_decorators", ()))
        if effective is not None:
            above = (effective.steps[name].decorators, effective.steps[name].user_decorators)
        found[name] = StepSource(
            name, function, owner, *source_of(function), tuple(above[0]), tuple(above[1])
        )
    return found


def _defined(flow_class: type) -> Iterator[tuple[str, Any, type]]:
    found: dict[str, tuple[Any, type]] = {}
    for owner in reversed(flow_class.__mro__):
        for name, value in vars(owner).items():
            if is_step(value) or name in found:
                found[name] = (value, owner)
    return ((name, value, owner) for name, (value, owner) in found.items() if is_step(value))


def _marks(value: object) -> dict[str, Any]:
    marks = getattr(value, "__dict__", None)
    return marks if isinstance(marks, dict) else {}
