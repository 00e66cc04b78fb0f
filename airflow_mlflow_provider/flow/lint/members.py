"""Where the members of a flow's classes are defined, and what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from airflow_mlflow_provider.flow.lint.rule import Finding
from airflow_mlflow_provider.flow.reading import (
    FlowReading,
    is_config,
    is_library,
    is_parameter,
    source_of_class,
)
from airflow_mlflow_provider.flow.source_file import FunctionNode, SourceFile
from airflow_mlflow_provider.flow.step_source import is_step

Kind = Literal["step", "parameter", "config", "constant", "method", "other"]
FIXED: tuple[Kind, ...] = ("parameter", "config", "constant")
NAMED: tuple[Kind, ...] = ("step", *FIXED)

_CALLS: dict[str, Kind] = {"Parameter": "parameter", "IncludeFile": "parameter", "Config": "config"}


class Definition(msgspec.Struct, frozen=True, eq=False):
    """One definition of a name in the body of a class.

    Attributes:
        name: The attribute.
        kind: What it is.
        owner: The class.
        file: The file, or its path if it is not parsed.
        line: 1-based line.
        col: 1-based column.
        node: The statement, if the body is known.
    """

    name: str
    kind: Kind
    owner: type
    file: SourceFile | str
    line: int
    col: int = 1
    node: ast.stmt | None = None

    def __str__(self) -> str:
        path = self.file.path if isinstance(self.file, SourceFile) else self.file
        return f"the {self.kind} in {self.owner.__name__} ({path}:{self.line})"

    def finding(self, message: str, fix: str) -> Finding:
        """A finding at this definition."""
        step = self.name if self.kind == "step" else None
        return Finding(self.file, self.line, self.col, message, fix, step)


def kind_of(name: str, value: Any) -> Kind:
    """What a class attribute is to a flow."""
    if is_step(value):
        return "step"
    if is_config(value):
        return "config"
    if is_parameter(value):
        return "parameter"
    if isinstance(value, type) or name.startswith("_"):
        return "other"
    return "method" if hasattr(type(value), "__get__") else "constant"


def fixed_members(reading: FlowReading) -> dict[str, Kind]:
    """Parameters, configs and constants of a flow by attribute."""
    kinds = {name: kind_of(name, value) for name, (value, _) in reading.members.items()}
    return {name: kind for name, kind in kinds.items() if kind in FIXED}


def definitions(reading: FlowReading) -> dict[str, list[Definition]]:
    """Every definition of each member, the one that wins last."""
    found: dict[str, list[Definition]] = {}
    for cls in reversed(reading.flow_class.__mro__):
        for definition in _in_class(reading, cls):
            found.setdefault(definition.name, []).append(definition)
    return found


def _in_class(reading: FlowReading, cls: type) -> Iterator[Definition]:
    own = {} if is_library(cls) else dict(vars(cls))
    source = source_of_class(reading, cls) if own else None
    if source is not None:
        statements = list(_named_statements(source[1].body))
        last = dict(statements)
        for name, statement in statements:
            if name not in own:
                continue
            wins = last[name] is statement
            kind = kind_of(name, own[name]) if wins else _written_kind(name, statement)
            yield Definition(
                name, kind, cls, source[0], statement.lineno, statement.col_offset + 1, statement
            )


def _named_statements(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Definitions that always happen; those under an ``if`` may exclude each other."""
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name, statement
        elif isinstance(statement, ast.Assign):
            yield from ((t.id, statement) for t in statement.targets if isinstance(t, ast.Name))
        elif (
            isinstance(statement, ast.AnnAssign)
            and statement.value
            and isinstance(statement.target, ast.Name)
        ):
            yield statement.target.id, statement


def _written_kind(name: str, statement: ast.stmt) -> Kind:
    if isinstance(statement, FunctionNode):
        called = (d.func if isinstance(d, ast.Call) else d for d in statement.decorator_list)
        return "step" if any(_last_name(d) == "step" for d in called) else "method"
    if isinstance(statement, ast.ClassDef) or name.startswith("_"):
        return "other"
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call):
        return _CALLS.get(_last_name(value.func) or "", "constant")
    return "other" if isinstance(value, ast.Lambda) else "constant"


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
