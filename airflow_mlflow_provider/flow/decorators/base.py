"""What every decorator is: a name, attributes, a place in the source, and the findings of its own checks.

A decorator is written long before it can be checked: its attributes may be configs. So what is wrong with one is
kept with it, as :class:`Problem`, and the linter reports all of them together; ``--with`` and mutators, which add decorators
one by one, raise the first.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from airflow_mlflow_provider.exception import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    InvalidDecoratorAttribute,
    LintIssue,
    MetaflowException,
)
from airflow_mlflow_provider.flow.config_expression import evaluate, has_expression, is_unpacked
from airflow_mlflow_provider.flow.decorators.attributes import Fields
from airflow_mlflow_provider.flow.decorators.lifecycle import DecoratedTask, StepCode
from airflow_mlflow_provider.flow.graph import DecoratorSpec, FlowGraph, StepNode
from airflow_mlflow_provider.flow.location import SourceLocation, caller_location

if TYPE_CHECKING:
    from typing_extensions import Self

StepFunction = TypeVar("StepFunction", bound=Callable[..., Any])
FlowClass = TypeVar("FlowClass", bound=type)


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong with a decorator.

    Attributes:
        rule: Rule of the linter.
        message: What is wrong.
        fix: How to fix it, one imperative sentence.
        severity: ``"E"`` error or ``"W"`` warning.
    """

    rule: str
    message: str
    fix: str
    severity: str = "E"


class Decorator:
    """A decorator as it stands on a step or a flow.

    Args:
        given: The attributes as written; values may be expressions over configs.
        statically_defined: Whether it stands in the source.
        inserted_by: Names of the mutators that added it, outermost first.
        location: Where it was written; by default where the user's code is now.

    Attributes:
        name: What the user writes after ``@``.
        fields: The attributes that it takes.
        allow_multiple: Whether it may stand more than once on the same thing.
        attributes: Every attribute with its effective value.
    """

    name: ClassVar[str]
    fields: ClassVar[Fields] = {}
    allow_multiple: ClassVar[bool] = False

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        *,
        statically_defined: bool = True,
        inserted_by: Iterable[str] = (),
        location: SourceLocation | None = None,
    ) -> None:
        self.given = dict(given or {})
        self.statically_defined = statically_defined
        self.inserted_by = tuple(inserted_by)
        self.location = location or caller_location()
        self._problems: list[Problem] = []
        self.attributes = self._effective(self.given)
        if not has_expression(self.given):
            self._problems += self.check()

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Every attribute with its default."""
        return {name: copy.deepcopy(field.default) for name, field in cls.fields.items()}

    def __repr__(self) -> str:
        written = ", ".join(
            f"{name}={value!r}" for name, value in self.given.items() if not is_unpacked(name)
        )
        return f"@{self.name}({written})"

    def is_written(self, attribute: str) -> bool:
        """Whether the attribute was written, rather than left at its default."""
        return attribute in self.given

    def with_configs(self, configs: Mapping[str, Any]) -> Self:
        """The same decorator with the values of configs in the place of expressions over them.

        Args:
            configs: Values of the flow's configs, by name.

        Raises:
            MetaflowException: An expression cannot be evaluated.
        """
        return type(self)(
            evaluate(self.given, configs),
            statically_defined=self.statically_defined,
            inserted_by=self.inserted_by,
            location=self.location,
        )

    def check(self) -> Iterator[Problem]:
        """What is wrong with the attributes together; called once, when they have their values."""
        yield from ()

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the decorator by itself."""
        return tuple(self._problems)

    def raise_problem(self) -> None:
        """Raise the first error among the problems.

        Raises:
            MetaflowException: Of the class that belongs to the problem's rule.
        """
        for problem in self._problems:
            if problem.severity == "E":
                raise self.error(problem)

    def error(self, problem: Problem) -> MetaflowException:
        """The exception for a problem."""
        kind = InvalidDecoratorAttribute if problem.rule in ("D002", "D005") else MetaflowException
        return kind(
            problem.message,
            self.location.line,
            self.location.file,
            fix=problem.fix,
            where={"decorator": self.name},
        )

    def issue(self, problem: Problem, step: str | None = None) -> LintIssue:
        """The linter's finding for a problem."""
        return LintIssue(
            file=self.location.file,
            line=self.location.line,
            col=1,
            rule=problem.rule,
            severity=problem.severity,
            step=step,
            message=problem.message,
            fix=problem.fix,
        )

    def spec(self) -> DecoratorSpec:
        """The decorator as data: attributes that JSON can hold, others by their name."""
        return DecoratorSpec(
            name=self.name,
            attributes={name: as_json(value) for name, value in self.attributes.items()},
            statically_defined=self.statically_defined,
            inserted_by=self.inserted_by,
        )

    def _effective(self, given: Mapping[str, Any]) -> dict[str, Any]:
        attributes = self.defaults()
        for name, written in given.items():
            if is_unpacked(name):
                continue
            if name not in self.fields:
                self._problems.append(self._unknown(name))
            elif has_expression(written):
                attributes[name] = written
            else:
                attributes[name] = self._converted(name, written)
        return attributes

    def _converted(self, name: str, written: Any) -> Any:
        field = self.fields[name]
        try:
            return field.value(written)
        except ValueError:
            self._problems.append(self.bad_value(name, written, field.allowed))
            return copy.deepcopy(field.default)

    def bad_value(self, attribute: str, written: Any, allowed: str) -> Problem:
        """The problem of an attribute whose value is not allowed."""
        return Problem(
            "D005",
            f"@{self.name}: the attribute '{attribute}' is {_shown(written)}; allowed is {allowed}.",
            f"Give '{attribute}' {allowed}.",
        )

    def _unknown(self, name: str) -> Problem:
        close = difflib.get_close_matches(name, self.fields, n=1)
        allowed = ", ".join(self.fields) or "none"
        return Problem(
            "D002",
            f"@{self.name} has no attribute '{name}'"
            + (f"; did you mean '{close[0]}'?" if close else ".")
            + f" Allowed: {allowed}.",
            f"Remove '{name}', or write one of the allowed attributes.",
        )


class StepDecorator(Decorator):
    """A decorator of steps. Subclasses override the hooks that they need; see :mod:`.lifecycle` for their order."""

    def lint(self, node: StepNode, graph: FlowGraph) -> Iterator[LintIssue]:
        """Findings about the decorator where it stands."""
        for problem in (*self._problems, *self.check_step(node, graph)):
            yield self.issue(problem, node.name)

    def check_step(self, node: StepNode, graph: FlowGraph) -> Iterator[Problem]:
        """What is wrong with the decorator on this step."""
        yield from ()

    def task_pre_step(self, task: DecoratedTask) -> None:
        """Called before the step's code."""

    def task_decorate(self, code: StepCode, task: DecoratedTask) -> StepCode:
        """Return the step's code with something around it."""
        return code

    def task_post_step(self, task: DecoratedTask) -> None:
        """Called after the step's code has returned."""

    def task_exception(self, error: BaseException, task: DecoratedTask) -> bool:
        """Called after the step's code or a hook has raised; true handles the error."""
        return False

    def task_finished(self, task: DecoratedTask) -> None:
        """Called at the end of each attempt, to undo what ``task_pre_step`` did."""


class FlowDecorator(Decorator):
    """A decorator of flow classes.

    Attributes:
        flow_class: The class that it stands on; ``None`` when a mutator has added it.
    """

    flow_class: type | None = None

    def with_configs(self, configs: Mapping[str, Any]) -> Self:
        """The same decorator with the values of configs in the place of expressions over them."""
        resolved = super().with_configs(configs)
        resolved.flow_class = self.flow_class
        return resolved

    def lint(self, graph: FlowGraph) -> Iterator[LintIssue]:
        """Findings about the decorator where it stands."""
        for problem in (*self._problems, *self.check_flow(graph)):
            yield self.issue(problem)

    def check_flow(self, graph: FlowGraph) -> Iterator[Problem]:
        """What is wrong with the decorator on this flow."""
        yield from ()


def decorate_step(decorator_class: type[StepDecorator], target: Any, given: Mapping[str, Any]) -> Any:
    """What the function that authors write as ``@name`` or ``@name(attribute=value)`` returns.

    Raises:
        BadStepDecoratorException: It does not stand right above ``@step``.
    """
    name, location = decorator_class.name, caller_location()
    if target is None:

        def add(function: Any) -> Any:
            return _added(decorator_class(given, location=location), function)

        return add
    if not callable(target):
        raise BadStepDecoratorException(
            f"@{name}({target!r}): attributes of decorators are written by name.",
            location.line,
            location.file,
            fix=f"Write @{name}({next(iter(decorator_class.fields), 'attribute')}={target!r}), or the like.",
            where={"decorator": name},
        )
    return _added(decorator_class(given, location=location), target)


def decorate_flow(decorator_class: type[FlowDecorator], target: Any, given: Mapping[str, Any]) -> Any:
    """What the function that authors write as ``@name`` or ``@name(attribute=value)`` on a flow returns.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    name, location = decorator_class.name, caller_location()

    def add(flow_class: Any) -> Any:
        if not is_flow(flow_class):
            raise BadFlowDecoratorException(
                f"@{name} stands on {_named(flow_class)}, which is not a flow.",
                location.line,
                location.file,
                fix=f"Put @{name} right above `class {_plain_name(flow_class)}(FlowSpec):`.",
                where={"decorator": name},
            )
        decorator = decorator_class(given, location=location)
        decorator.flow_class = flow_class
        flow_class._flow_decorators.insert(0, decorator)
        return flow_class

    return add if target is None else add(target)


def is_flow(value: object) -> bool:
    """Whether ``value`` is a subclass of ``FlowSpec``."""
    from airflow_mlflow_provider.flow.spec import FlowSpec

    return isinstance(value, type) and issubclass(value, FlowSpec) and value is not FlowSpec


def misplaced(name: str, target: Any, location: SourceLocation) -> BadStepDecoratorException:
    """The error of a step decorator that does not stand on a step."""
    return BadStepDecoratorException(
        f"@{name} stands on {_named(target)}, which is not a step there.",
        location.line,
        location.file,
        fix=f"Put @{name} above @step: first @{name}, then @step, then `def {_plain_name(target)}(self):`.",
        where={"decorator": name, "step": _plain_name(target)},
    )


def as_json(value: Any) -> Any:
    """The nearest that JSON can hold: functions and classes become their dotted names."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(element) for key, element in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(element) for element in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)


def _added(decorator: StepDecorator, function: Any) -> Any:
    if not getattr(function, "is_step", False):
        raise misplaced(decorator.name, function, decorator.location)
    # Python applies the lowest decorator first; the list is in source order.
    function.decorators.insert(0, decorator)
    return function


def _named(target: Any) -> str:
    kind = "the class" if isinstance(target, type) else "the function" if callable(target) else "the value"
    return f"{kind} '{_plain_name(target)}'"


def _plain_name(target: Any) -> str:
    return str(getattr(target, "__name__", None) or repr(target))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
