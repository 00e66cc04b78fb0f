"""N: names of steps and members of the flow's class."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from airflow_mlflow_provider.flow.lint.members import NAMED, Definition, definitions
from airflow_mlflow_provider.flow.lint.naming import listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_step
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.source_file import FunctionNode

RESERVED = ("name", "next", "input", "index", "cmd")
_ILLEGAL = re.compile(r"[^a-z0-9_]")


def reserved_step_name(reading: FlowReading) -> Iterator[Finding]:
    """N101."""
    for step in reading.steps.values():
        if step.name in RESERVED:
            message = f"A step cannot be called {step.name}; reserved are {listed(RESERVED)}."
            yield at_step(step, message, f"Rename it, for instance to {step.name}_step.")


def illegal_step_name(reading: FlowReading) -> Iterator[Finding]:
    """N102."""
    for step in reading.steps.values():
        characters = dict.fromkeys(_ILLEGAL.findall(step.name))
        if characters:
            problem = f"contains {listed(repr(character) for character in characters)}"
        elif step.name.startswith("_"):
            problem = "starts with '_'"
        else:
            continue
        message = f"The step name {step.name} {problem}; steps have lower-case letters, digits and '_'."
        yield at_step(step, message, f"Rename it, for instance to {_legal(step.name)}.")


def _legal(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _ILLEGAL.sub("", words).strip("_") or "step_1"


def redefined(reading: FlowReading) -> Iterator[Finding]:
    """N103."""
    for name, found in reading.derived(definitions).items():
        for earlier, later in itertools.pairwise(found):
            if _replaces(earlier, later):
                message = f"{name} is defined twice: {later} redefines {earlier}, and wins."
                yield later.finding(message, "Rename one of them, or remove the one that is not used.")
        winner = found[-1]
        told = winner.kind == "step" and name in RESERVED
        if winner.kind in NAMED and name in reading.library_members and not told:
            message = f"{winner} hides FlowSpec.{name}, and wins: `self.{name}` no longer means the latter."
            yield winner.finding(message[0].upper() + message[1:], f"Rename {name}.")


def _replaces(earlier: Definition, later: Definition) -> bool:
    kinds = {earlier.kind, later.kind}
    if "other" in kinds or kinds <= {"method"}:
        return False
    return not (_is_extended(earlier, later) or _builds_on(later))


def _is_extended(earlier: Definition, later: Definition) -> bool:
    """Whether a step of a base class is meant to be overridden: it is abstract, or the override calls it."""
    if earlier.kind != "step" or later.kind != "step" or earlier.owner is later.owner:
        return False
    abstract = isinstance(earlier.node, FunctionNode) and _is_abstract(earlier.node)
    return abstract or _calls_super(later)


def _is_abstract(node: FunctionNode) -> bool:
    return isinstance(node.body[-1], ast.Raise) and "NotImplementedError" in ast.dump(node.body[-1])


def _calls_super(definition: Definition) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
        for node in ast.walk(definition.node or ast.Pass())
    )


def _builds_on(later: Definition) -> bool:
    """Whether a constant is computed from its earlier value."""
    value = getattr(later.node, "value", None)
    return isinstance(value, ast.expr) and any(
        isinstance(node, ast.Name) and node.id == later.name for node in ast.walk(value)
    )


RULES = (
    Rule("N101", "E", "reserved step name", reserved_step_name),
    Rule("N102", "E", "step name with illegal characters", illegal_step_name),
    Rule("N103", "W", "member that redefines another or hides one of FlowSpec", redefined),
)
