"""A: artifacts that are read but never there, cannot be stored, or get lost in a join."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType

from airflow_mlflow_provider.flow.lint.availability import Availability
from airflow_mlflow_provider.flow.lint.naming import close_matches, listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_node
from airflow_mlflow_provider.flow.lint.step_facts import PlacedAccess
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.step_source import StepSource, is_step
from airflow_mlflow_provider.flow.written_call import attribute_of


def read_but_never_set(reading: FlowReading) -> Iterator[Finding]:
    """A901."""
    availability = reading.derived(Availability)
    for step, placed in _missing_reads(availability):
        name = placed.access.name
        join = availability.arriving[step.name].dropped.get(name)
        if join is not None and len(availability.setting_branches(name, join)) > 1:
            continue
        message, fix = _explain(availability, step, name, join)
        yield _at(step, placed, message, fix)


def set_in_two_branches(reading: FlowReading) -> Iterator[Finding]:
    """A904."""
    availability = reading.derived(Availability)
    for step, placed in _missing_reads(availability):
        name = placed.access.name
        join = availability.arriving[step.name].dropped.get(name)
        writers = availability.setting_branches(name, join) if join is not None else []
        if len(writers) < 2:
            continue
        places = listed(f"{writer} (line {availability.line_of(writer, name)})" for writer in writers)
        message = (
            f"Step {step.name} reads self.{name}, which is set in several branches, {places}, and not merged in "
            f"join {join}."
        )
        fix = f"Set it in {join}, such as self.{name} = inputs.{writers[0]}.{name}."
        yield _at(step, placed, message, fix)


def _missing_reads(availability: Availability) -> Iterator[tuple[StepSource, PlacedAccess]]:
    """The first read of each artifact in each step that cannot find it."""
    if availability.is_dynamic or not availability.is_sound:
        return
    for name, arriving in availability.arriving.items():
        facts = availability.facts[name]
        if facts.opaque or arriving.anything:
            continue
        there = availability.fixed | arriving.names | facts.written | facts.asked
        told: set[str] = set()
        for placed in facts.accesses:
            access = placed.access
            reads = access.kind in ("read", "update") and not access.guarded
            if reads and access.name not in there | told and not access.name.startswith("_"):
                told.add(access.name)
                yield availability.reading.steps[name], placed


def _explain(availability: Availability, step: StepSource, name: str, join: str | None) -> tuple[str, str]:
    writers = availability.writers(name)
    if join is not None:
        message = f"Step {step.name} reads self.{name}, which {listed(writers)} sets and join {join} does not merge."
        return message, f"Call self.merge_artifacts(inputs) in {join}, or set self.{name} there."
    if writers:
        message = f"Step {step.name} reads self.{name}, which only {listed(writers)} sets; no path leads here from there."
        return message, f"Set self.{name} in a step before {step.name}."
    everything = {written: s for s, facts in availability.facts.items() for written in facts.written}
    close = close_matches(name, everything)
    similar = [f"self.{other} in {listed(availability.writers(other))}" for other in close]
    message = f"Step {step.name} reads self.{name}, which no step sets."
    if similar:
        return (
            f"{message} Similar names are set: {listed(similar)}.",
            f"Write self.{close[0]}, or set self.{name}.",
        )
    return message, f"Set self.{name} in a step before {step.name}, or define it on the class."


def _at(step: StepSource, placed: PlacedAccess, message: str, fix: str) -> Finding:
    node = placed.access.node
    return Finding(placed.file, node.lineno, node.col_offset + 1, message, fix, step.name)


def function_as_artifact(reading: FlowReading) -> Iterator[Finding]:
    """A902."""
    availability = reading.derived(Availability)
    for name, facts in availability.facts.items():
        last = {p.access.name: p for p in facts.accesses if p.access.kind in ("write", "delete")}
        for placed in last.values():
            access = placed.access
            if access.value is None:
                continue
            if (what := _function_assigned(reading, placed, access.value)) is not None:
                message = f"Step {name} assigns {what} to self.{access.name}; functions are not stored."
                fix = "Keep it at module level and call it by name, or store an object that wraps it."
                yield _at(reading.steps[name], placed, message, fix)


def _function_assigned(reading: FlowReading, placed: PlacedAccess, value: ast.expr) -> str | None:
    if isinstance(value, ast.Lambda):
        return "a lambda"
    if isinstance(value, ast.Name):
        return _named_function(placed, value.id)
    if not isinstance(value, ast.Attribute):
        return None
    for owner in placed.function.__code__.co_varnames[:1]:
        method = attribute_of(value, owner)
        member = reading.members.get(method or "", (None, object))[0]
        if isinstance(member, FunctionType) or is_step(member):
            return f"the method {method}"
    return None


def _named_function(placed: PlacedAccess, name: str) -> str | None:
    code = placed.function.__code__
    if name in placed.around.functions and name not in placed.around.rebound:
        return f"the function {name}"
    if name in code.co_varnames or name in code.co_cellvars or name in code.co_freevars:
        return None
    known = placed.function.__globals__.get(name)
    is_function = isinstance(known, (FunctionType, BuiltinFunctionType, MethodType))
    return f"the function {name}" if is_function else None


def misused_merge(reading: FlowReading) -> Iterator[Finding]:
    """A903."""
    availability = reading.derived(Availability)
    for step in reading.steps.values():
        for merge in availability.reader.own(step).merges:
            if step.inputs_name is None and isinstance(merge.node, ast.Call):
                message = (
                    f"Step {step.name} calls merge_artifacts at line {merge.node.lineno}, but is not a join."
                )
                fix = f"Call it in a join, `def {step.name}(self, inputs)`, or remove it."
                yield at_node(step, merge.node, message, fix)
            elif merge.include and merge.exclude:
                message = (
                    f"Step {step.name} gives merge_artifacts both include ({listed(sorted(merge.include))}) and "
                    f"exclude ({listed(sorted(merge.exclude))}) at line {merge.node.lineno}."
                )
                yield at_node(step, merge.node, message, "Give one of the two.")


RULES = (
    Rule("A901", "W", "artifact read that no path sets", read_but_never_set),
    Rule("A902", "W", "function assigned as an artifact", function_as_artifact),
    Rule("A903", "E", "merge_artifacts outside a join, or with include and exclude", misused_merge),
    Rule("A904", "W", "artifact set in several branches and not merged", set_in_two_branches),
)
