"""What a step does to ``self``, the methods that it calls included."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.lint.function_facts import Access, FunctionFacts, Merge, facts_of
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.source_file import SourceFile, source_of
from airflow_mlflow_provider.flow.step_source import StepSource


class PlacedAccess(msgspec.Struct, frozen=True, eq=False):
    """An access, the file that it stands in, and the facts of the function around it."""

    access: Access
    file: SourceFile
    function: Any
    around: FunctionFacts


class StepFacts(msgspec.Struct, eq=False):
    """What a step does to the flow.

    Attributes:
        accesses: Uses of attributes in the step and the methods that it may call.
        merges: Calls of ``merge_artifacts`` there.
        asked: Names looked for before they are read.
        opaque: Whether the step may set attributes that cannot be told from the source.
        written: Names assigned, those set by ``@catch`` included.
    """

    accesses: list[PlacedAccess] = []
    merges: list[Merge] = []
    asked: set[str] = set()
    opaque: bool = False
    written: set[str] = set()


class FactReader:
    """Reads the facts of all steps of a flow, each function once."""

    def __init__(self, reading: FlowReading) -> None:
        self.reading = reading
        self._read: dict[int, tuple[FunctionFacts, SourceFile] | None] = {}

    def own(self, step: StepSource) -> FunctionFacts:
        """Facts of the step's own body."""
        read = self._function(step.function)
        return read[0] if read else FunctionFacts(opaque=True)

    def step(self, step: StepSource) -> StepFacts:
        """Facts of a step and of everything that it may call on the flow."""
        found = self.function(step.function, step.owner)
        # Code of the user's runs around the step with the flow in hand.
        found.opaque = found.opaque or bool(step.user_decorators)
        found.written |= _caught(step)
        return found

    def function(self, function: Any, owner: type) -> StepFacts:
        """Facts of a function of class ``owner`` and of everything that it may call on the flow."""
        found = StepFacts()
        seen: set[int] = set()
        pending: list[tuple[Any, type]] = [(function, owner)]
        while pending:
            function, owner = pending.pop()
            if id(function) in seen:
                continue
            seen.add(id(function))
            read = self._function(function)
            if read is None:
                found.opaque = True
                continue
            facts, file = read
            found.opaque = found.opaque or facts.opaque
            found.asked |= facts.asked
            found.merges += facts.merges
            found.accesses += [PlacedAccess(access, file, function, facts) for access in facts.accesses]
            pending += self._called(facts, owner)
        found.written |= {placed.access.name for placed in found.accesses if placed.access.kind == "write"}
        return found

    def _called(self, facts: FunctionFacts, owner: type) -> Iterator[tuple[Any, type]]:
        for name in {access.name for access in facts.accesses if access.kind == "read"}:
            value, cls = self.reading.members.get(name, (None, owner))
            if (function := _function_in(value)) is not None:
                yield function, cls
        order = self.reading.flow_class.__mro__
        for name in facts.super_calls:
            for cls in order[order.index(owner) + 1 :]:
                if name in vars(cls):
                    if (function := _function_in(vars(cls)[name])) is not None:
                        yield function, cls
                    break

    def _function(self, function: Any) -> tuple[FunctionFacts, SourceFile] | None:
        """Facts of a function; ``None`` if it cannot be followed."""
        if id(function) not in self._read:
            self._read[id(function)] = _read(function)
        return self._read[id(function)]


def _read(function: Any) -> tuple[FunctionFacts, SourceFile] | None:
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return None
    try:
        file, node = source_of(function)
    except MetaflowException:
        # A method from a compiled or generated module: whatever it does, the rules stay silent about it.
        return None
    return facts_of(node), file


def _function_in(value: Any) -> Any:
    """The function that runs with the flow as its first argument when the member is used, or ``None``."""
    if isinstance(value, property):
        return value.fget
    if isinstance(value, functools.cached_property):
        return value.func
    if isinstance(value, (staticmethod, classmethod, type)) or not hasattr(type(value), "__get__"):
        return None
    return None if hasattr(value, "IS_CONFIG") else value


def _caught(step: StepSource) -> set[str]:
    variables = (d.attributes.get("var") for d in step.decorators if d.name == "catch")
    return {variable for variable in variables if isinstance(variable, str)}
