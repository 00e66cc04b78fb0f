"""``@secrets``: environment variables that come from a secrets backend, for the time of an attempt."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, overload

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, flag, text
from airflow_mlflow_provider.flow.decorators.base import (
    Problem,
    StepDecorator,
    StepFunction,
    as_json,
    decorate_step,
)
from airflow_mlflow_provider.flow.decorators.environment_variables import replace_variables, restore_variables
from airflow_mlflow_provider.flow.decorators.lifecycle import DecoratedTask
from airflow_mlflow_provider.flow.decorators.secret_backends import (
    SecretSource,
    fetch,
    provider_of,
    read_source,
)
from airflow_mlflow_provider.flow.graph import DecoratorSpec

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DISALLOWED = "AIRFLOW__"
_SOURCES = "a list of 'type.id', 'id', or dicts of 'type', 'id', 'options' and 'role'"


class SecretsDecorator(StepDecorator):
    """Set environment variables from secrets; see :func:`secrets`."""

    name = "secrets"
    fields: ClassVar[Fields] = {
        "sources": anything([], _SOURCES),
        "role": text(None),
        "allow_override": flag(False),
    }

    def __repr__(self) -> str:
        # Options of `inline` hold values.
        return f"@{self.name}({', '.join(self.given)})"

    def check(self) -> Iterator[Problem]:
        """Refuse sources of a wrong form or an unknown backend, without showing them."""
        for source in self._written():
            try:
                provider_of(read_source(source).type)
            except MetaflowException as error:
                yield Problem("D005", f"@secrets: the attribute 'sources': {error.message}", error.fix)

    def sources(self) -> tuple[SecretSource, ...]:
        """The sources, in the order written.

        Raises:
            MetaflowException: One has a wrong form.
        """
        return tuple(read_source(source) for source in self._written())

    def spec(self) -> DecoratorSpec:
        """The decorator as data; what `inline` sources hold is left out."""
        attributes = {name: as_json(value) for name, value in self.attributes.items() if name != "sources"}
        return DecoratorSpec(
            name=self.name,
            attributes={"sources": [_without_values(source) for source in self._written()], **attributes},
            statically_defined=self.statically_defined,
            inserted_by=self.inserted_by,
        )

    def task_pre_step(self, task: DecoratedTask) -> None:
        """Fetch the secrets, have their values hidden in logs, and set the variables."""
        variables = self.fetch()
        task.hide(tuple(variables.values()))
        self._before = replace_variables(variables)

    def task_finished(self, task: DecoratedTask) -> None:
        """Remove the variables."""
        restore_variables(vars(self).pop("_before", {}))

    def fetch(self) -> dict[str, str]:
        """The variables to set.

        Raises:
            MetaflowException: A secret cannot be fetched, or a variable cannot be set; names source and variable, never a
                value.
        """
        origin: dict[str, SecretSource] = {}
        variables: dict[str, str] = {}
        for source in self.sources():
            for name, value in fetch(source, self.attributes["role"]).items():
                self._admit(name, value, source, origin)
                origin[name] = source
                variables[name] = value
        return variables

    def _admit(self, name: Any, value: Any, source: SecretSource, origin: Mapping[str, SecretSource]) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _refused(source, name, "is not a name of an environment variable")
        if name.upper().startswith(_DISALLOWED):
            raise _refused(source, name, f"begins with {_DISALLOWED}, which configures Airflow")
        if not isinstance(value, str):
            raise _refused(source, name, f"holds a {type(value).__name__}, not a string")
        if "\0" in value:
            raise _refused(source, name, "holds a NUL character")
        if name in origin:
            raise _refused(source, name, f"comes from the source '{origin[name]}' as well")
        # An equal value is what a parent process has set for the same step, as on the nodes of a gang.
        if not self.attributes["allow_override"] and os.environ.get(name, value) != value:
            raise _refused(
                source, name, "is set in the environment already", "Set allow_override=True, or rename it."
            )

    def _written(self) -> list[Any]:
        written = self.attributes["sources"]
        return list(written) if isinstance(written, (list, tuple)) else [written]


def _without_values(written: Any) -> Any:
    if not isinstance(written, Mapping):
        return as_json(written)
    options = written.get("options")
    if not isinstance(options, Mapping) or "env_vars" not in options:
        return as_json(written)
    names = sorted(options["env_vars"]) if isinstance(options["env_vars"], Mapping) else []
    return as_json({**written, "options": {**options, "env_vars": names}})


def _refused(source: SecretSource, name: Any, reason: str, fix: str = "") -> MetaflowException:
    return MetaflowException(
        f"The secret '{source}': the variable {name!r} {reason}.",
        fix=fix or "Rename the variable in the secret.",
        where={"source": str(source), "variable": name},
    )


@overload
def secrets(function: StepFunction, /) -> StepFunction: ...
@overload
def secrets(
    *,
    sources: Sequence[str | Mapping[str, Any]] = (),
    role: str | None = None,
    allow_override: bool = False,
) -> Callable[[StepFunction], StepFunction]: ...
def secrets(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: set environment variables from secrets, before any other decorator, until the attempt ends.

    Args:
        function: The step, for ``@secrets`` without parentheses.
        sources: Each ``"type.id"``, ``"id"`` (of the option ``default_secrets_backend``), or a dict of ``type``,
            ``id``, ``options`` and ``role``.
        role: The identity to take on where a source names none.
        allow_override: Whether variables that are set already are replaced; otherwise they are an error.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(SecretsDecorator, function, attributes)
