"""What all decorators and mutators that users write have in common."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.config_expression import evaluate
from airflow_mlflow_provider.flow.decorators.base import as_json
from airflow_mlflow_provider.flow.graph import DecoratorSpec
from airflow_mlflow_provider.flow.location import SourceLocation, caller_location

if TYPE_CHECKING:
    from typing_extensions import Self


class UserDecorator:
    """What the decorators that users write have in common.

    Subclasses are used as ``@name`` or as ``@name(arguments)``; the arguments are those of ``init``.

    Attributes:
        statically_defined: Whether it stands in the source, rather than having been added by ``--with``.
        inserted_by: Names of the mutators that added it, outermost first.
        location: Where it was written.
    """

    statically_defined: bool = True
    inserted_by: tuple[str, ...] = ()
    location: SourceLocation
    _args: tuple[Any, ...] = ()
    _kwargs: Mapping[str, Any] = {}

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make the decorator; without parentheses, put it on what it stands on at once."""
        instance = super().__new__(cls)
        if len(args) == 1 and not kwargs and cls._is_target(args[0]):
            instance.declare((), {})
            return instance(args[0])
        return instance

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.declare(args, kwargs)

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of the decorator; called when configs have their values."""

    def add_to_package(self) -> Iterator[tuple[Any, ...]]:
        """Yield files for the code package: ``(path, arcname)`` or ``(content, arcname, ContentType.X)``."""
        yield from ()

    def __call__(self, target: Any) -> Any:
        """Stand on a step or a flow."""
        raise NotImplementedError

    @classmethod
    def _is_target(cls, value: Any) -> bool:
        raise NotImplementedError

    @classmethod
    def qualified_name(cls) -> str:
        """Dotted path of the decorator."""
        return f"{cls.__module__}.{cls.__qualname__}"

    @property
    def name(self) -> str:
        """Name of the decorator, without its module."""
        return type(self).__name__

    def declare(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Keep the arguments for ``init``.

        Raises:
            MetaflowException: There are arguments and no ``init`` that takes them.
        """
        self._args, self._kwargs = tuple(args), dict(kwargs)
        self.location = caller_location()
        if (args or kwargs) and type(self).init is UserDecorator.init:
            raise MetaflowException(
                f"The decorator '{self.name}' was given arguments, and has no method `init` that takes them.",
                self.location.line,
                self.location.file,
                fix=f"Define init(self, …) in {self.name}, or use @{self.name} without arguments.",
                where={"decorator": self.name},
            )

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments as written."""
        return self._args, dict(self._kwargs)

    def resolved(self, configs: Mapping[str, Any]) -> Self:
        """The same decorator with the values of configs in the place of expressions over them; ``init`` has not run.

        Raises:
            MetaflowException: An expression cannot be evaluated, or the arguments do not fit ``init``.
        """
        fresh: Self = object.__new__(type(self))
        fresh._args, fresh._kwargs = evaluate(self._args, configs), evaluate(dict(self._kwargs), configs)
        fresh.location = self.location
        fresh.statically_defined, fresh.inserted_by = self.statically_defined, self.inserted_by
        try:
            inspect.signature(fresh.init).bind(*fresh._args, **fresh._kwargs)
        except TypeError as error:
            raise MetaflowException(
                f"The arguments of the decorator '{self.name}' do not fit: {error}.",
                self.location.line,
                self.location.file,
                fix=f"Give @{self.name} the arguments of its method `init`.",
                where={"decorator": self.name},
            ) from error
        return fresh

    def ready(self, configs: Mapping[str, Any]) -> Self:
        """A new instance that has its arguments, and whose ``init`` has run.

        Raises:
            MetaflowException: As for :meth:`resolved`.
        """
        fresh = self.resolved(configs)
        fresh.init(*fresh._args, **fresh._kwargs)
        return fresh

    def spec(self) -> DecoratorSpec:
        """The decorator as data, by its dotted path."""
        attributes = as_json(self._kwargs)
        if self._args:
            attributes = {"args": as_json(self._args), **attributes}
        return DecoratorSpec(
            name=self.qualified_name(),
            attributes=attributes,
            statically_defined=self.statically_defined,
            inserted_by=self.inserted_by,
        )
