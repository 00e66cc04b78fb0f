"""A flow's parameters as options of a command."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
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


def with_parameters(own: Sequence[click.Parameter], flow_class: type[FlowSpec]) -> list[click.Parameter]:
    """The options of a command, and one for each parameter of the flow, named exactly as the parameter.

    Args:
        own: Options of the command's own. Where a parameter has the name of one, the parameter takes it, and the option becomes
            ``--x-<name>``.
        flow_class: The flow.
    """
    parameters = [_option(parameter) for parameter in flow_parameters(flow_class)]
    taken = {name for option in parameters for name in option.opts}
    for option in own:
        option.opts = [_out_of_the_way(name, taken) for name in option.opts]
        option.secondary_opts = [_out_of_the_way(name, taken) for name in option.secondary_opts]
    return [*own, *parameters]


def _out_of_the_way(name: str, taken: Collection[str]) -> str:
    return f"--x-{name.removeprefix('--')}" if name in taken else name


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
            value = _of_environment(parameter)
        if value is not None:
            given[parameter.name] = value
        elif parameter.is_required and parameter.name not in already:
            raise click.UsageError(
                f"The parameter '{parameter.name}' of {flow_name} is required and has no value. "
                f"Give --{parameter.name} or set {environment_variable(parameter.name)}."
            )
    return given


def _of_environment(parameter: Parameter) -> Any:
    variable = environment_variable(parameter.name)
    text = os.environ.get(variable)
    try:
        return None if text is None else parameter.parse(text)
    except CommandException as error:
        raise click.UsageError(f"{variable}: {error}") from error


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
