"""M: parameters, configs and constants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_mlflow_provider.flow.lint.availability import Availability
from airflow_mlflow_provider.flow.lint.members import Definition, definitions, fixed_members
from airflow_mlflow_provider.flow.lint.naming import listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule
from airflow_mlflow_provider.flow.reading import FlowReading

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.config import ConfigDeclaration
    from airflow_mlflow_provider.flow.parameters import Parameter


# Fields of Parameter and IncludeFile that take a value only; `default`, `type` and `parser` may be functions.
_PLAIN_FIELDS = ("name", "help", "required", "show_default", "separator", "is_text", "encoding")


def _parameters(reading: FlowReading) -> Iterator[tuple[Parameter, Definition]]:
    """The parameters that the flow has, those that mutators added included, with where they are defined."""
    from airflow_mlflow_provider.flow.parameters import flow_parameters

    found = flow_parameters(reading.flow_class)
    written = reading.derived(definitions) if found else {}
    for parameter in found:
        known = written.get(parameter.attribute, [])
        if known and known[-1].kind == "parameter":
            yield parameter, known[-1]
        else:
            file, line = parameter.location
            yield parameter, Definition(parameter.attribute, "parameter", reading.flow_class, file, line)


def _configs(reading: FlowReading) -> Iterator[tuple[ConfigDeclaration, Definition]]:
    if reading.configs:
        from airflow_mlflow_provider.flow.config import declaration_of

        for attribute, found in reading.derived(definitions).items():
            if attribute in reading.configs:
                yield declaration_of(reading.members[attribute][0]), found[-1]


def equal_names(reading: FlowReading) -> Iterator[Finding]:
    """M801."""
    parameters = ((parameter.name, definition) for parameter, definition in _parameters(reading))
    yield from _repeated(parameters, "parameters", str.lower, " (ignoring case)")
    configs = ((config.name, definition) for config, definition in _configs(reading))
    yield from _repeated(configs, "configs", str, "")


def _repeated(
    named: Iterable[tuple[str, Definition]], kind: str, key: Callable[[str], str], how: str
) -> Iterator[Finding]:
    seen: dict[str, tuple[str, Definition]] = {}
    for name, definition in named:
        if (earlier := seen.get(key(name))) is not None:
            message = f"The names of two {kind} are equal{how}: '{name}', {definition}, and '{earlier[0]}', {earlier[1]}."
            yield definition.finding(message, "Give each a name of its own.")
        else:
            seen[key(name)] = (name, definition)


def reserved_name(reading: FlowReading) -> Iterator[Finding]:
    """M802."""
    from airflow_mlflow_provider.flow.parameters import RESERVED, is_reserved

    for parameter, definition in _parameters(reading):
        if is_reserved(parameter.name):
            message = (
                f"A parameter cannot be called '{parameter.name}'; reserved are {listed(sorted(RESERVED))}."
            )
            yield definition.finding(message, f"Rename it, for instance to 'flow-{parameter.name}'.")


def unusable_fields(reading: FlowReading) -> Iterator[Finding]:
    """M803, as an error."""
    from airflow_mlflow_provider.flow.config_expression import ConfigExpression

    for parameter, definition in _parameters(reading):
        for field in _PLAIN_FIELDS:
            value = getattr(parameter, field, None)
            if callable(value) and not isinstance(value, ConfigExpression):
                message = f"The field {field} of parameter '{parameter.name}' is a function; only default may be one."
                yield definition.finding(message, f"Give {field} a value.")
        if _splits_another_type(parameter):
            message = f"Parameter '{parameter.name}' has a separator, but its type is not str."
            yield definition.finding(message, "Remove separator, or write type=str.")
    for config, definition in _configs(reading):
        if config.default is not None and config.default_value is not None:
            message = f"Config '{config.name}' has both default and default_value."
            yield definition.finding(
                message, "Give one of them: a path as default, or a value as default_value."
            )


def _splits_another_type(parameter: Parameter) -> bool:
    from airflow_mlflow_provider.flow.config_expression import ConfigExpression

    if parameter.separator is None or any(
        isinstance(value, ConfigExpression)
        for value in (parameter.type, parameter.default, parameter.separator)
    ):
        return False
    if parameter.type is None:
        return (
            parameter.default is not None
            and not callable(parameter.default)
            and not _is_text(parameter.default)
        )
    return parameter.type is not str


def _is_text(default: object) -> bool:
    return isinstance(default, (str, list, tuple))


def unsupported_type(reading: FlowReading) -> Iterator[Finding]:
    """M803, as a warning."""
    from airflow_mlflow_provider.flow.config_expression import ConfigExpression
    from airflow_mlflow_provider.flow.parameter_types import is_supported

    for parameter, definition in _parameters(reading):
        if not isinstance(parameter.type, ConfigExpression) and not is_supported(parameter.type):
            given = getattr(parameter.type, "__name__", None) or repr(parameter.type)
            message = (
                f"Parameter '{parameter.name}' has the type {given}; forms and schemas know it as text only."
            )
            yield definition.finding(message, "Use str, int, float, bool or JSONType.")


def assigned_in_step(reading: FlowReading) -> Iterator[Finding]:
    """M804."""
    from airflow_mlflow_provider.flow.spec import FlowSpec

    fixed = fixed_members(reading)
    properties = {name for name, member in vars(FlowSpec).items() if isinstance(member, property)}
    read_only = properties - reading.members.keys()
    availability = reading.derived(Availability)
    for step, facts in availability.facts.items():
        for placed in facts.accesses:
            access = placed.access
            if access.kind not in ("write", "update") or access.in_try:
                continue
            if (kind := fixed.get(access.name)) is not None:
                reason = f"which is a {kind}: its value is fixed"
            elif access.name in read_only:
                reason = "which every flow has, and cannot be set"
            else:
                continue
            node = access.node
            message = f"Step {step} assigns to self.{access.name} at line {node.lineno}, {reason}."
            fix = "Assign to another attribute."
            yield Finding(placed.file, node.lineno, node.col_offset + 1, message, fix, step)


RULES = (
    Rule("M801", "E", "equal names of parameters or of configs", equal_names),
    Rule("M802", "E", "reserved parameter name", reserved_name),
    Rule("M803", "E", "field of a parameter or config that cannot be used", unusable_fields),
    Rule("M803", "W", "parameter type that is not one of the documented ones", unsupported_type),
    Rule(
        "M804",
        "W",
        "step assigns to a parameter, config or constant, or to what FlowSpec computes",
        assigned_in_step,
    ),
)
