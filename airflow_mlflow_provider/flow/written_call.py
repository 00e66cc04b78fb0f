"""``self.next(...)`` as written: where the calls of a step stand and what each of them says.

Reading is lenient: a :class:`WrittenCall` keeps what is there, legal or not, so that the linter can name it.
:meth:`WrittenCall.transition` gives the transition of a legal call.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Literal

import msgspec

from airflow_mlflow_provider.flow.graph import CaseKey, Transition
from airflow_mlflow_provider.flow.source_file import FunctionNode, SourceFile

Place = Literal["last", "earlier", "returned", "if", "loop", "try", "with", "match", "expression"]
ConfigResolver = Callable[[str, tuple[str, ...]], object]
"""Gives the value of ``self.<config>.<key>…`` from the config's and the keys' names; ``LookupError`` if unknown."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_PLACES: dict[type[ast.AST], Place] = {
    ast.If: "if",
    ast.For: "loop",
    ast.AsyncFor: "loop",
    ast.While: "loop",
    ast.Try: "try",
    ast.With: "with",
    ast.AsyncWith: "with",
    ast.Match: "match",
    ast.Return: "returned",
}
if sys.version_info >= (3, 11):
    _PLACES[ast.TryStar] = "try"


class WrittenCase(msgspec.Struct, frozen=True):
    """One ``key: self.target`` of a switch.

    ``key`` is ``None`` for ``**mapping``; ``target`` is ``None`` for that and for values other than ``self.x``.
    """

    key: ast.expr | None
    value: ast.expr
    target: str | None


class WrittenCall(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One ``self.next(...)``.

    Attributes:
        node: The call.
        place: Where it stands in the step; the innermost compound statement wins.
        owner: Name of the step's first argument, by which steps are called.
        file: The file it stands in.
    """

    node: ast.Call
    place: Place
    owner: str
    file: SourceFile

    @property
    def line(self) -> int:
        """1-based line of the call."""
        return self.node.lineno

    @cached_property
    def keywords(self) -> dict[str | None, ast.expr]:
        """Keyword arguments; ``None`` stands for ``**mapping``."""
        return {keyword.arg: keyword.value for keyword in self.node.keywords}

    @cached_property
    def cases(self) -> tuple[WrittenCase, ...] | None:
        """Cases of a switch, or ``None`` if the argument is not one dict literal."""
        arguments = self.node.args
        if len(arguments) != 1 or not isinstance(arguments[0], ast.Dict):
            return None
        pairs = zip(arguments[0].keys, arguments[0].values, strict=True)
        return tuple(
            WrittenCase(key, value, attribute_of(value, self.owner) if key is not None else None)
            for key, value in pairs
        )

    @cached_property
    def named(self) -> tuple[tuple[str, ast.expr], ...]:
        """``(name, expression)`` of each ``self.<name>`` given as a target, in order."""
        if self.cases is not None:
            return tuple((case.target, case.value) for case in self.cases if case.target is not None)
        names = ((attribute_of(value, self.owner), value) for value in self.node.args)
        return tuple((name, value) for name, value in names if name is not None)

    def transition(self, resolve: ConfigResolver) -> Transition | None:
        """The transition written, or ``None`` if the call has no legal form.

        Whether the targets are steps is not asked here.
        """
        given = set(self.keywords)
        if self.cases is not None:
            return self._switch(resolve) if given == {"condition"} else None
        if not self.node.args or len(self.named) != len(self.node.args):
            return None
        targets = tuple(name for name, _ in self.named)
        if not given:
            if len(set(targets)) != len(targets):
                return None
            return Transition("linear" if len(targets) == 1 else "static", targets, line=self.line)
        return self._widening(given, targets) if len(targets) == 1 else None

    def _widening(self, given: set[str | None], targets: tuple[str, ...]) -> Transition | None:
        if given == {"num_parallel"}:
            size = self.file.segment(self.keywords["num_parallel"])
            return Transition("parallel", targets, num_parallel=size, line=self.line)
        foreach = string_of(self.keywords.get("foreach"))
        allow_empty = self.keywords.get("allow_empty", ast.Constant(value=False))
        legal = isinstance(allow_empty, ast.Constant) and isinstance(allow_empty.value, bool)
        ratio = ratio_of(self.keywords.get("min_success_ratio"))
        legal = legal and (ratio is not None or "min_success_ratio" not in given)
        if not foreach or not legal or not given <= {"foreach", "allow_empty", "min_success_ratio"}:
            return None
        allowed = isinstance(allow_empty, ast.Constant) and allow_empty.value is True
        return Transition(
            "foreach", targets, foreach=foreach, allow_empty=allowed, min_success_ratio=ratio, line=self.line
        )

    def _switch(self, resolve: ConfigResolver) -> Transition | None:
        condition = string_of(self.keywords["condition"])
        cases: list[tuple[CaseKey, str]] = []
        for case in self.cases or ():
            key = self.case_key(case, resolve)
            if key is None or case.target is None:
                return None
            cases.append((key, case.target))
        if not condition or len(cases) < 2:
            return None
        targets = tuple(dict.fromkeys(target for _, target in cases))
        return Transition("switch", targets, condition=condition, cases=tuple(cases), line=self.line)

    def case_key(self, case: WrittenCase, resolve: ConfigResolver) -> CaseKey | None:
        """Value of a case's key, the source text of a config key that has no value yet, ``None`` if illegal."""
        if case.key is None:
            return None
        literal = literal_key(case.key)
        if literal is not None:
            return literal
        path = config_path(case.key, self.owner)
        if path is None:
            return None
        try:
            value = resolve(path[0], path[1:])
        except LookupError:
            return self.file.segment(case.key)
        return value if isinstance(value, (str, int, float)) else None


def calls_in(node: FunctionNode, owner: str, file: SourceFile) -> tuple[WrittenCall, ...]:
    """All ``self.next(...)`` of a step in source order; functions and classes inside the step are not looked into."""
    last = node.body[-1]
    found: list[WrittenCall] = []
    for statement in node.body:
        # Most statements hold no call, and looking at their text is far quicker than walking their tree.
        if not any("next" in line for line in file.lines[statement.lineno - 1 : statement.end_lineno]):
            continue
        for call, place in _next_calls(statement, "expression", owner):
            whole = isinstance(statement, ast.Expr) and statement.value is call
            where: Place = ("last" if statement is last else "earlier") if whole else place
            found.append(WrittenCall(call, where, owner, file))
    return tuple(found)


def _next_calls(node: ast.AST, place: Place, owner: str) -> Iterator[tuple[ast.Call, Place]]:
    if isinstance(node, _SCOPES):
        return
    if isinstance(node, ast.Call) and attribute_of(node.func, owner) == "next":
        yield node, place
    place = _PLACES.get(type(node), place)
    for child in ast.iter_child_nodes(node):
        yield from _next_calls(child, place, owner)


def attribute_of(node: ast.expr, owner: str) -> str | None:
    """``x`` if the expression is ``self.x``, else ``None``."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == owner:
        return node.attr
    return None


def string_of(node: ast.expr | None) -> str | None:
    """Value of a string literal, else ``None``."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def ratio_of(node: ast.expr | None) -> float | None:
    """Value of a number literal from 0 to 1, else ``None``."""
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def literal_key(node: ast.expr) -> CaseKey | None:
    """Value of a string, number or bool literal, else ``None``."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, (str, int, float)) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        number = literal_key(node.operand)
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            return -number if isinstance(node.op, ast.USub) else number
    return None


def config_path(node: ast.expr, owner: str) -> tuple[str, ...] | None:
    """``(config, key, …)`` if the expression is ``self.<config>.<key>…``, else ``None``."""
    keys: list[str] = []
    while isinstance(node, ast.Attribute):
        keys.append(node.attr)
        node = node.value
    named = isinstance(node, ast.Name) and node.id == owner
    return tuple(reversed(keys)) if named and len(keys) >= 2 else None
