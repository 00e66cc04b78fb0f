"""Adding decorators that do not stand in the source: by ``--with``, and by mutators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from airflow_mlflow_provider.exception import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    MetaflowException,
)
from airflow_mlflow_provider.flow.decorators.base import Decorator, FlowDecorator, StepDecorator
from airflow_mlflow_provider.flow.decorators.registry import (
    flow_decorator_class,
    is_authored,
    read_decospec,
    step_decorator_class,
)
from airflow_mlflow_provider.flow.dotted_name import resolve_dotted_name
from airflow_mlflow_provider.flow.effective import EffectiveFlow, EffectiveStep, with_attributes
from airflow_mlflow_provider.flow.location import SourceLocation
from airflow_mlflow_provider.flow.user_decorator_base import UserDecorator
from airflow_mlflow_provider.flow.user_decorators import FlowMutator, StepMutator, UserStepDecorator

_Decorator = TypeVar("_Decorator", bound=Decorator)
COMMAND_LINE = SourceLocation("--with", 0)


class Addition(msgspec.Struct, frozen=True, eq=False):
    """A decorator to be made.

    Attributes:
        kind: The decorator as it is written, its class, or its specification.
        args: Positional arguments.
        attributes: Attributes; those of a specification are added to them.
        inserted_by: Names of the mutators that add it, outermost first.
        statically_defined: Whether it goes back to the source, by a mutator there.
        location: Where it comes from; by default where the user's code is now.
    """

    kind: Any
    args: tuple[Any, ...] = ()
    attributes: Mapping[str, Any] = msgspec.field(default_factory=dict)
    inserted_by: tuple[str, ...] = ()
    statically_defined: bool = False
    location: SourceLocation | None = None

    def on_step(self, configs: Mapping[str, Any]) -> StepDecorator | UserStepDecorator | StepMutator:
        """Make it, for a step.

        Args:
            configs: Values of the flow's configs, by name.

        Raises:
            UnknownStepDecoratorException: No decorator has the name.
            InvalidDecoratorAttribute: Its attributes are wrong.
            BadStepDecoratorException: It is no step decorator.
            MetaflowException: It cannot be imported, or is not offered.
        """
        kind, attributes = self._resolved()
        if isinstance(kind, str):
            kind = step_decorator_class(kind)
        if isinstance(kind, type) and issubclass(kind, StepDecorator):
            return self._built_in(kind, attributes, configs)
        if isinstance(kind, (UserStepDecorator, StepMutator)) or (
            isinstance(kind, type) and issubclass(kind, (UserStepDecorator, StepMutator))
        ):
            made = self._user(kind, attributes, configs)
            if isinstance(made, (UserStepDecorator, StepMutator)):
                return made
        raise BadStepDecoratorException(
            f"{self.kind!r} is not a step decorator.",
            fix="Give a step decorator, its class, or a specification such as 'retry:times=4'.",
        )

    def on_flow(self, configs: Mapping[str, Any]) -> FlowDecorator | FlowMutator:
        """Make it, for a flow.

        Args:
            configs: Values of the flow's configs, by name.

        Raises:
            UnknownFlowDecoratorException: No decorator has the name.
            InvalidDecoratorAttribute: Its attributes are wrong.
            BadFlowDecoratorException: It is no flow decorator.
            MetaflowException: It cannot be imported, or is not offered.
        """
        kind, attributes = self._resolved()
        if isinstance(kind, str):
            kind = flow_decorator_class(kind)
        if isinstance(kind, type) and issubclass(kind, FlowDecorator):
            return self._built_in(kind, attributes, configs)
        if isinstance(kind, FlowMutator) or (isinstance(kind, type) and issubclass(kind, FlowMutator)):
            made = self._user(kind, attributes, configs)
            if isinstance(made, FlowMutator):
                return made
        raise BadFlowDecoratorException(
            f"{self.kind!r} is not a flow decorator.",
            fix="Give a flow decorator, its class, or a specification such as 'schedule:hourly=true'.",
        )

    def _resolved(self) -> tuple[Any, dict[str, Any]]:
        if isinstance(self.kind, str):
            name, attributes = read_decospec(self.kind)
            kind = resolve_dotted_name(name) if "." in name else name
            return kind, {**attributes, **self.attributes}
        name = str(getattr(self.kind, "__name__", ""))
        return (name if is_authored(self.kind, name) else self.kind), dict(self.attributes)

    def _built_in(
        self, kind: type[_Decorator], attributes: Mapping[str, Any], configs: Mapping[str, Any]
    ) -> _Decorator:
        if self.args:
            raise MetaflowException(
                f"@{kind.name} takes its attributes by name, not by position.",
                fix="Give deco_kwargs instead of deco_args.",
                where={"decorator": kind.name},
            )
        made = kind(
            attributes,
            statically_defined=self.statically_defined,
            inserted_by=self.inserted_by,
            location=self.location,
        ).with_configs(configs)
        made.raise_problem()
        return made

    def _user(self, kind: Any, attributes: Mapping[str, Any], configs: Mapping[str, Any]) -> UserDecorator:
        if isinstance(kind, UserDecorator):
            made: UserDecorator = kind.resolved(configs)
        else:
            made = object.__new__(kind)
            made.declare(self.args, attributes)
        made.statically_defined, made.inserted_by = self.statically_defined, self.inserted_by
        return made.resolved(configs) if isinstance(made, UserStepDecorator) else made.ready(configs)


def attach(effective: EffectiveFlow, decospecs: Sequence[str]) -> None:
    """Add the decorators of ``--with`` to every step that lacks them.

    Args:
        effective: The flow.
        decospecs: ``NAME`` or ``NAME:attribute=value,…``; the user's own decorators by their dotted path.

    Raises:
        MetaflowException: A specification is wrong; of the class that says how.
    """
    names = with_attributes(effective.flow_class, effective.configs)
    for decospec in decospecs:
        for step in effective.steps.values():
            new = Addition(decospec, location=COMMAND_LINE).on_step(names)
            target = _list_of(step, new)
            if not any(_same(new, existing) for existing in target):
                target.append(new)


def default_decospecs() -> tuple[str, ...]:
    """The specifications that are configured for every flow."""
    from airflow_mlflow_provider.configuration import get

    return tuple(get("default_decospecs"))


def same_arguments(have: Any, wanted: Any) -> bool:
    """Whether arguments are those wanted; ``None`` wants any."""
    return wanted is None or type(have)(wanted) == have


def _list_of(step: EffectiveStep, decorator: Any) -> list[Any]:
    if isinstance(decorator, UserStepDecorator):
        return step.user_decorators
    return step.mutators if isinstance(decorator, StepMutator) else step.decorators


def _same(new: Any, existing: Any) -> bool:
    if isinstance(new, UserDecorator):
        return isinstance(existing, UserDecorator) and new.qualified_name() == existing.qualified_name()
    return bool(new.name == existing.name)
