"""S: switches."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from airflow_mlflow_provider.flow.graph import CaseKey
from airflow_mlflow_provider.flow.lint.naming import counted, listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_node
from airflow_mlflow_provider.flow.lint.transitions import illegal_part
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.step_source import StepSource
from airflow_mlflow_provider.flow.written_call import (
    WrittenCall,
    WrittenCase,
    config_path,
    literal_key,
    string_of,
)


def _switches(reading: FlowReading) -> Iterator[tuple[StepSource, WrittenCall, tuple[WrittenCase, ...]]]:
    for step, call in reading.tails():
        if call.cases is not None and not illegal_part(call):
            yield step, call, call.cases


def malformed_switch(reading: FlowReading) -> Iterator[Finding]:
    """S601."""
    for step, call, cases in _switches(reading):
        condition = call.keywords.get("condition")
        written = call.file.segment(call.node.args[0])
        if condition is None:
            problem = f"the switch over {written} has no condition"
        elif not string_of(condition):
            given = call.file.segment(condition)
            problem = f"condition must be the name of an artifact as a string literal, not `{given}`"
        elif len(cases) < 2:
            problem = f"a switch has at least 2 cases, and {written} has {len(cases)}"
        else:
            continue
        fix = 'Write self.next({"yes": self.a, "no": self.b}, condition="answer").'
        yield at_node(step, call.node, f"Step {step.name}: {problem}.", fix)


def illegal_key(reading: FlowReading) -> Iterator[Finding]:
    """S602, as an error."""
    for step, call, cases in _switches(reading):
        for case in cases:
            if (problem := _key_problem(reading, call, case)) is not None:
                message = f"Step {step.name}: the key of a case must be {problem}."
                fix = "Write a string, number or bool literal, or self.<config>.<key>."
                yield at_node(step, case.key or case.value, message, fix)


def _key_problem(reading: FlowReading, call: WrittenCall, case: WrittenCase) -> str | None:
    allowed = "a literal or self.<config>.<key>"
    if case.key is None:
        return f"{allowed}, not `**{call.file.segment(case.value)}`"
    if literal_key(case.key) is not None:
        return None
    written = f"`{call.file.segment(case.key)}` (line {case.key.lineno})"
    path = config_path(case.key, call.owner)
    if path is None:
        return f"{allowed}, not {written}"
    if path[0] not in reading.configs:
        return f"{allowed}; {path[0]} in {written} is not a config of {reading.flow_class.__name__}"
    if call.case_key(case, reading.resolve) is None:
        return f"a string, a number or a bool; the config gives {written} another type"
    return None


def equal_keys(reading: FlowReading) -> Iterator[Finding]:
    """S602, as a warning: Python keeps the last of equal keys."""
    for step, call, cases in _switches(reading):
        seen: dict[CaseKey, ast.expr] = {}
        for case in cases:
            key = call.case_key(case, reading.resolve)
            if key is None or case.key is None:
                continue
            if (earlier := seen.get(key)) is not None:
                message = (
                    f"Step {step.name}: the keys {call.file.segment(earlier)} (line {earlier.lineno}) and "
                    f"{call.file.segment(case.key)} (line {case.key.lineno}) are equal in Python; only the last counts."
                )
                yield at_node(step, case.key, message, "Use keys of one type, each once.")
            seen[key] = case.key


def switch_into_join(reading: FlowReading) -> Iterator[Finding]:
    """S603."""
    for name, transition in reading.transitions.items():
        if transition.kind != "switch":
            continue
        for target in transition.targets:
            join = reading.steps.get(target)
            if join is None or join.inputs_name is None:
                continue
            message = f"The switch of step {name} goes straight into join {target}: {name} -> {target}."
            fix = f"Put a plain step on the path from {name} to {target}."
            yield at_node(reading.steps[name], reading.last_call(name).node, message, fix)


def only_itself(reading: FlowReading) -> Iterator[Finding]:
    """S604."""
    for name, transition in reading.transitions.items():
        if transition.kind == "switch" and transition.targets == (name,):
            cases = counted(len(transition.cases), "case")
            keys = listed(repr(key) for key, _ in transition.cases)
            message = f"All {cases} of the switch of step {name} ({keys}) are {name} itself: it would never be left."
            fix = "Add a case that goes to another step."
            yield at_node(reading.steps[name], reading.last_call(name).node, message, fix)


RULES = (
    Rule("S601", "E", "switch without condition or with fewer than two cases", malformed_switch),
    Rule("S602", "E", "switch key that cannot be read from the source", illegal_key),
    Rule("S602", "W", "equal switch keys", equal_keys),
    Rule("S603", "E", "switch goes straight into a join", switch_into_join),
    Rule("S604", "E", "switch that only goes to its own step", only_itself),
)
