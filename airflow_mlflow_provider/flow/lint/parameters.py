"""M: parameters, configs and constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_mlflow_provider.flow.lint.availability import Availability
from airflow_mlflow_provider.flow.lint.members import Definition, Kind, declared, definitions, fixed_members
from airflow_mlflow_provider.flow.lint.naming import listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule
from airflow_mlflow_provider.flow.reading import FlowReading


def equal_names(reading: FlowReading) -> Iterator[Finding]:
    """M801."""
    yield from _repeated(reading, "parameter", str.lower, " (ignoring case)")
    yield from _repeated(reading, "config", str, "")


def _repeated(reading: FlowReading, kind: Kind, key: Callable[[str], str], how: str) -> Iterator[Finding]:
    seen: dict[str, tuple[str, Definition]] = {}
    for name, definition in _named(reading, kind):
        if (earlier := seen.get(key(name))) is not None:
            message = f"The names of two {kind}s are equal{how}: '{name}', {definition}, and '{earlier[0]}', {earlier[1]}."
            yield definition.finding(message, "Give each a name of its own.")
        else:
            seen[key(name)] = (name, definition)


def _named(reading: FlowReading, kind: Kind) -> Iterator[tuple[str, Definition]]:
    """Name on the command line and winning definition of the members of a kind, in source order."""
    members = fixed_members(reading)
    if kind not in members.values():
        return
    for attribute, found in definitions(reading).items():
        if members.get(attribute) == kind:
            yield str(declared(reading.members[attribute][0]).name), found[-1]


def reserved_name(reading: FlowReading) -> Iterator[Finding]:
    """M802."""
    for name, definition in _named(reading, "parameter"):
        from airflow_mlflow_provider.flow.parameters import RESERVED, is_reserved

        if is_reserved(name):
            message = f"A parameter cannot be called '{name}'; reserved are {listed(sorted(RESERVED))}."
            yield definition.finding(message, f"Rename it, for instance to 'flow-{name}'.")


def assigned_in_step(reading: FlowReading) -> Iterator[Finding]:
    """M804."""
    fixed = fixed_members(reading)
    if not fixed:
        return
    availability = Availability.of(reading)
    for step, facts in availability.facts.items():
        for placed in facts.accesses:
            access = placed.access
            kind = fixed.get(access.name)
            if kind is None or access.kind not in ("write", "update") or access.in_try:
                continue
            node = access.node
            message = f"Step {step} assigns to self.{access.name} at line {node.lineno}, which is a {kind}: its value is fixed."
            fix = "Assign to another attribute."
            yield Finding(placed.file, node.lineno, node.col_offset + 1, message, fix, step)


RULES = (
    Rule("M801", "E", "equal names of parameters or of configs", equal_names),
    Rule("M802", "E", "reserved parameter name", reserved_name),
    Rule("M804", "W", "step assigns to a parameter, config or constant", assigned_in_step),
)
