"""A flow's parameters as options of a command."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.parameters import Parameter, environment_variable, flow_parameters
from airflow_mlflow_provider.flow.spec import FlowSpec

_PREFIX = "flow_parameter_"


class _ParameterType(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Reads the text of an option as a parameter does."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self.name = parameter.value_type.kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parameter's value for a text."""
        if not isinstance(value, str):
            return value
        try:
            return self.parameter.parse(value)
        except CommandException as error:
            self.fail(f"{error} {error.fix}", param, ctx)


def parameter_options(flow_class: type[FlowSpec], taken: Collection[str] = ()) -> list[click.Option]:
    """An option for each parameter of a flow, named exactly as the parameter.

    Args:
        flow_class: The flow.
        taken: Options of the command's own; a parameter of the same name takes the name, and the option becomes
            ``--x-<name>``.
    """
    return [_option(parameter) for parameter in flow_parameters(flow_class)]


def given_parameters(
    flow_class: type[FlowSpec], values: dict[str, Any], flow_name: str, already: Collection[str] = ()
) -> dict[str, Any]:
    """The parameters that a command line or the environment gives values to, as JSON, by name.

    Args:
        flow_class: The flow.
        values: Values of the command's options.
        flow_name: Name of the flow.
        already: Names of parameters that have got a value elsewhere.

    Raises:
        UsageError: A required parameter has no value.
    """
    given: dict[str, Any] = {}
    for parameter in flow_parameters(flow_class):
        value = values.get(_variable(parameter))
        if value is None:
            text = os.environ.get(environment_variable(parameter.name))
            value = None if text is None else parameter.parse(text)
        if value is not None:
            given[parameter.name] = value
        elif parameter.is_required and parameter.name not in already:
            raise click.UsageError(
                f"The parameter '{parameter.name}' of {flow_name} is required and has no value. "
                f"Give --{parameter.name} or set {environment_variable(parameter.name)}."
            )
    return given


def explicit_parameters(flow_class: type[FlowSpec], values: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a command line itself gives values to, as JSON, by name."""
    found = {parameter.name: values.get(_variable(parameter)) for parameter in flow_parameters(flow_class)}
    return {name: value for name, value in found.items() if value is not None}


def parameters_of_file(flow_class: type[FlowSpec], path: str | None) -> dict[str, Any]:
    """The values in a JSON file that a program wrote, by parameter name; no file, no values.

    Raises:
        CommandException: The file names a parameter that the flow does not have.
        ParameterFieldTypeMismatch: A value does not have its parameter's type.
    """
    if path is None:
        return {}
    import msgspec

    parameters = {parameter.name: parameter for parameter in flow_parameters(flow_class)}
    given = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise CommandException(
            f"{flow_class.__name__} has no parameter '{unknown[0]}'; it has {', '.join(parameters) or 'none'}.",
            fix="Correct the name.",
            where={"parameter": unknown[0]},
        )
    return {name: parameters[name].check(value) for name, value in given.items()}


def _option(parameter: Parameter) -> click.Option:
    shown = parameter.shows_default and parameter.default is not None and not callable(parameter.default)
    default_text = f"  [default: {parameter.default}]" if shown else ""
    required = "  [required]" if parameter.is_required else ""
    return click.Option(
        [f"--{parameter.name}", _variable(parameter)],
        type=_ParameterType(parameter),
        help=f"{parameter.help or ''}{default_text}{required}",
    )


def _variable(parameter: Parameter) -> str:
    return _PREFIX + parameter.name.replace("-", "_").lower()
