"""What mutators may do to a flow and to its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from airflow_mlflow_provider.exception import (
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    MetaflowException,
)
from airflow_mlflow_provider.flow.attaching import Addition, same_arguments
from airflow_mlflow_provider.flow.decorators.base import Decorator, FlowDecorator
from airflow_mlflow_provider.flow.effective import EffectiveFlow, EffectiveStep, with_attributes
from airflow_mlflow_provider.flow.parameters import Parameter
from airflow_mlflow_provider.flow.user_decorator_base import UserDecorator
from airflow_mlflow_provider.flow.user_decorators import FlowMutator, StepMutator, UserStepDecorator

_IGNORE, _ERROR, _OVERRIDE = 1, 2, 3


class DecoratorListing(NamedTuple):
    """A decorator as mutators see it.

    Attributes:
        name: Name as it is written.
        qualified_name: Dotted path; for built-in decorators their name.
        args: Positional arguments.
        kwargs: Attributes as written.
    """

    name: str
    qualified_name: str
    args: list[Any]
    kwargs: dict[str, Any]


class _Mutable:
    """What may be done to the decorators of a flow or a step."""

    IGNORE: ClassVar[int] = _IGNORE
    ERROR: ClassVar[int] = _ERROR
    OVERRIDE: ClassVar[int] = _OVERRIDE

    def __init__(self, mutator: UserDecorator, *, before_with: bool) -> None:
        self._mutator = mutator
        self._before_with = before_with

    def _lists(self) -> Sequence[list[Any]]:
        raise NotImplementedError

    @property
    def decorator_specs(self) -> Iterator[DecoratorListing]:
        """The decorators, built-in ones first."""
        for decorators in self._lists():
            yield from (_listing(decorator) for decorator in decorators)

    def has_decorator(self, name: str) -> bool:
        """Whether there is a decorator of this name, or of this dotted path."""
        return bool(self.get_decorator_specs(name))

    def get_decorator_specs(self, name: str) -> list[DecoratorListing]:
        """The decorators of this name, or of this dotted path."""
        return [found for found in self.decorator_specs if name in (found.name, found.qualified_name)]

    def remove_decorator(
        self,
        deco_name: str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
    ) -> bool:
        """Remove decorators.

        Args:
            deco_name: Name or dotted path.
            deco_args: Only those with these positional arguments.
            deco_kwargs: Only those with these attributes.

        Returns:
            Whether one was removed.
        """
        removed = False
        for decorators in self._lists():
            kept = [d for d in decorators if not _matches(_listing(d), deco_name, deco_args, deco_kwargs)]
            removed = removed or len(kept) != len(decorators)
            decorators[:] = kept
        return removed

    def _inserted_by(self) -> tuple[str, ...]:
        return (*self._mutator.inserted_by, self._mutator.qualified_name())

    def _addition(
        self, deco_type: Any, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
    ) -> Addition:
        return Addition(
            deco_type,
            tuple(args or ()),
            dict(kwargs or {}),
            self._inserted_by(),
            self._mutator.statically_defined,
        )

    def _admit(
        self, target: list[Any], new: Any, duplicates: int, error: Callable[[str], MetaflowException]
    ) -> None:
        """Add ``new`` to the list that it belongs to, as ``duplicates`` says of one of the same name."""
        if duplicates not in (_IGNORE, _ERROR, _OVERRIDE):
            raise self._wrong(
                f"duplicates={duplicates!r} is none of IGNORE, ERROR and OVERRIDE", "Give one of the three."
            )
        name = _listing(new).qualified_name
        existing = [decorator for decorator in target if _listing(decorator).qualified_name == name]
        if not existing or (duplicates != _OVERRIDE and getattr(new, "allow_multiple", False)):
            target.append(new)
        elif duplicates == _ERROR:
            raise error(f"The mutator '{self._mutator.name}' adds '{name}', which is there already.")
        elif duplicates == _OVERRIDE:
            position = target.index(existing[0])
            target[:] = [decorator for decorator in target if decorator not in existing]
            target.insert(position, new)

    def _wrong(self, problem: str, fix: str) -> MetaflowException:
        return MetaflowException(
            f"The mutator '{self._mutator.name}': {problem}.",
            self._mutator.location.line,
            self._mutator.location.file,
            fix=fix,
            where={"mutator": self._mutator.name},
        )


class MutableStep(_Mutable):
    """A step as a mutator may change it."""

    def __init__(
        self, effective: EffectiveFlow, step: EffectiveStep, mutator: UserDecorator, *, before_with: bool
    ) -> None:
        super().__init__(mutator, before_with=before_with)
        self._effective = effective
        self._step = step

    @property
    def name(self) -> str:
        """Name of the step."""
        return self._step.name

    @property
    def flow(self) -> MutableFlow:
        """The flow of the step."""
        return MutableFlow(self._effective, self._mutator, before_with=self._before_with)

    def add_decorator(
        self,
        deco_type: Any,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: int = _IGNORE,
    ) -> None:
        """Add a step decorator or a step mutator, below those that are there.

        Args:
            deco_type: The decorator as it is written above a step, its class, or a specification such as ``"retry:times=2"``.
            deco_args: Positional arguments, for decorators of the user's own.
            deco_kwargs: Attributes.
            duplicates: What to do when the step has it: ``IGNORE`` the new one, raise an ``ERROR``, or ``OVERRIDE`` the old one.

        Raises:
            MetaflowException: It is no step decorator, its attributes are wrong, or it is there already.
        """
        new = self._addition(deco_type, deco_args, deco_kwargs).on_step(self._effective.configs)
        if isinstance(new, StepMutator) and not self._before_with:
            raise self._wrong("a mutator can be added in pre_mutate only", "Move the call to pre_mutate.")
        self._admit(self._list_of(new), new, duplicates, DuplicateStepDecoratorException)

    def _list_of(self, decorator: Any) -> list[Any]:
        if isinstance(decorator, UserStepDecorator):
            return self._step.user_decorators
        return self._step.mutators if isinstance(decorator, StepMutator) else self._step.decorators

    def _lists(self) -> Sequence[list[Any]]:
        return (self._step.decorators, self._step.user_decorators, self._step.mutators)


class MutableFlow(_Mutable):
    """A flow as a mutator may change it. Its steps, parameters and configs are attributes, too."""

    def __init__(self, effective: EffectiveFlow, mutator: UserDecorator, *, before_with: bool) -> None:
        super().__init__(mutator, before_with=before_with)
        self._effective = effective

    @property
    def configs(self) -> Iterator[tuple[str, Any]]:
        """Names and values of the configs."""
        yield from self._effective.configs.items()

    @property
    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Attributes and parameters."""
        yield from list(self._effective.parameters.items())

    @property
    def steps(self) -> Iterator[tuple[str, MutableStep]]:
        """Names and steps."""
        for name in list(self._effective.steps):
            yield name, self._mutable(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._effective.steps:
            return self._mutable(name)
        if name in self._effective.parameters:
            return self._effective.parameters[name]
        configs = with_attributes(self._effective.flow_class, self._effective.configs)
        if name in configs:
            return configs[name]
        raise AttributeError(f"The flow has no step, parameter or config '{name}'.")

    def add_parameter(self, name: str, value: Parameter, overwrite: bool = False) -> None:
        """Add a parameter, in ``pre_mutate`` only.

        Args:
            name: Attribute that holds it.
            value: The parameter.
            overwrite: Whether it may replace one.

        Raises:
            MetaflowException: It is no parameter, the attribute is taken, or the time for it has passed.
        """
        self._refuse_after_with("add_parameter")
        if not isinstance(value, Parameter):
            raise self._wrong(
                f"add_parameter('{name}') got a {type(value).__name__}, not a Parameter",
                "Give it a Parameter or an IncludeFile; configs cannot be added.",
            )
        if name in self._effective.parameters and not overwrite:
            raise self._wrong(
                f"the flow has the parameter '{name}' already", "Set overwrite=True to replace it."
            )
        if name not in self._effective.parameters and hasattr(self._effective.flow_class, name):
            raise self._wrong(
                f"the flow has the attribute '{name}', which is no parameter", "Choose another name."
            )
        value.attribute = name
        self._effective.parameters[name] = value.with_configs(self._effective.configs)

    def remove_parameter(self, name: str) -> bool:
        """Remove a parameter, in ``pre_mutate`` only.

        Args:
            name: Attribute that holds it.

        Returns:
            Whether there was one.

        Raises:
            MetaflowException: It is a config, or the time for it has passed.
        """
        self._refuse_after_with("remove_parameter")
        if name in with_attributes(self._effective.flow_class, self._effective.configs):
            raise self._wrong(f"'{name}' is a config; configs cannot be removed", "Remove parameters only.")
        return self._effective.parameters.pop(name, None) is not None

    def add_decorator(
        self,
        deco_type: Any,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: int = _IGNORE,
    ) -> None:
        """Add a flow decorator or a flow mutator, in ``pre_mutate`` only.

        Args:
            deco_type: The decorator as it is written above a flow, its class, or a specification such as ``"schedule:hourly=true"``.
            deco_args: Positional arguments, for mutators.
            deco_kwargs: Attributes.
            duplicates: What to do when the flow has it: ``IGNORE`` the new one, raise an ``ERROR``, or ``OVERRIDE`` the old one.

        Raises:
            MetaflowException: It is no flow decorator, its attributes are wrong, it is there already, or the time for it has
                passed.
        """
        self._refuse_after_with("add_decorator")
        new = self._addition(deco_type, deco_args, deco_kwargs).on_flow(self._effective.configs)
        target: list[Any] = (
            self._effective.mutators if isinstance(new, FlowMutator) else self._effective.decorators
        )
        if isinstance(new, FlowDecorator):
            new.flow_class = self._effective.flow_class
        self._admit(target, new, duplicates, DuplicateFlowDecoratorException)

    def remove_decorator(
        self,
        deco_name: str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
    ) -> bool:
        """Remove flow decorators, in ``pre_mutate`` only; see :meth:`MutableStep.remove_decorator`."""
        self._refuse_after_with("remove_decorator")
        return super().remove_decorator(deco_name, deco_args, deco_kwargs)

    def _mutable(self, step: str) -> MutableStep:
        return MutableStep(
            self._effective, self._effective.steps[step], self._mutator, before_with=self._before_with
        )

    def _lists(self) -> Sequence[list[Any]]:
        return (self._effective.decorators, self._effective.mutators)

    def _refuse_after_with(self, call: str) -> None:
        if not self._before_with:
            raise self._wrong(
                f"{call} changes the flow itself, which is possible in pre_mutate only",
                "Move the call to pre_mutate.",
            )


def _listing(decorator: Decorator | UserDecorator) -> DecoratorListing:
    if isinstance(decorator, UserDecorator):
        args, kwargs = decorator.arguments
        return DecoratorListing(decorator.name, decorator.qualified_name(), list(args), kwargs)
    return DecoratorListing(decorator.name, decorator.name, [], dict(decorator.given))


def _matches(
    listing: DecoratorListing, name: str, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
) -> bool:
    named = name in (listing.name, listing.qualified_name)
    return named and same_arguments(listing.args, args) and same_arguments(listing.kwargs, kwargs)
