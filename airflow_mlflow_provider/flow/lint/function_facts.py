"""What one function does to ``self``: attributes read and written, merges, and whether it can be followed at all."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from airflow_mlflow_provider.flow.source_file import FunctionNode
from airflow_mlflow_provider.flow.written_call import attribute_of, string_of

AccessKind = Literal["read", "write", "update", "delete"]

# Calls that look at `self` without changing it.
_HARMLESS = frozenset({"isinstance", "type", "id", "print", "repr", "str", "super", "callable"})
_EXECUTORS = frozenset({"exec", "eval"})
_CATCH_ATTRIBUTE_ERROR = frozenset({"AttributeError", "Exception", "BaseException"})
_PLAIN_DUNDERS = frozenset({"__class__", "__doc__", "__module__"})


class Access(msgspec.Struct, frozen=True, eq=False):
    """One use of ``self.<name>``.

    Attributes:
        name: The attribute.
        kind: ``update`` is ``self.x += …``, which reads first.
        node: Where.
        value: The expression assigned, where it is one.
        in_try: Whether it stands in the body of a ``try``.
        guarded: Whether an ``AttributeError`` there is caught.
    """

    name: str
    kind: AccessKind
    node: ast.expr
    value: ast.expr | None = None
    in_try: bool = False
    guarded: bool = False


class Merge(msgspec.Struct, frozen=True, eq=False):
    """One ``self.merge_artifacts(…)``; a filter that is not a literal is ``None``, a missing one is empty."""

    node: ast.expr
    include: frozenset[str] | None = frozenset()
    exclude: frozenset[str] | None = frozenset()


class FunctionFacts(msgspec.Struct, eq=False):
    """What a function does to its first argument.

    Attributes:
        accesses: Uses of attributes, in source order.
        merges: Calls of ``merge_artifacts``.
        asked: Names looked for with ``hasattr``, or read with a default.
        super_calls: Members named as ``super().<name>``.
        functions: Names of the functions defined inside.
        rebound: Local names that are assigned in any other way.
        opaque: Whether ``self`` is given away or changed by name, so that it may gain any attribute.
    """

    accesses: list[Access] = []
    merges: list[Merge] = []
    asked: set[str] = set()
    super_calls: set[str] = set()
    functions: set[str] = set()
    rebound: set[str] = set()
    opaque: bool = False


def facts_of(node: FunctionNode) -> FunctionFacts:
    """Read a function whose first argument is the flow."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    if not arguments:
        return FunctionFacts(opaque=True)
    reader = _Reader(arguments[0].arg)
    for statement in node.body:
        reader.visit(statement)
    return reader.facts


class _Reader:
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.facts = FunctionFacts()
        self.in_try = False
        self.guarded = False
        self._visitors: dict[type[ast.AST], Callable[..., None]] = {
            ast.Attribute: self._attribute,
            ast.Name: self._name,
            ast.Call: self._call,
            ast.Assign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.AugAssign: self._augmented,
            ast.Try: self._try,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._function,
        }
        if sys.version_info >= (3, 11):
            self._visitors[ast.TryStar] = self._try

    def visit(self, node: ast.AST) -> None:
        visitor = self._visitors.get(type(node))
        if visitor is not None:
            visitor(node)
        else:
            self._inside(node)

    def _inside(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    def _add(self, name: str, kind: AccessKind, node: ast.expr, value: ast.expr | None = None) -> None:
        self.facts.accesses.append(Access(name, kind, node, value, self.in_try, self.guarded))

    def _attribute(
        self, node: ast.Attribute, kind: AccessKind | None = None, value: ast.expr | None = None
    ) -> None:
        name = attribute_of(node, self.owner)
        if _is_super(node.value):
            self.facts.super_calls.add(node.attr)
        elif name is None:
            self._inside(node)
        elif name.startswith("__") and name not in _PLAIN_DUNDERS:
            self.facts.opaque = True
        elif name == "merge_artifacts":
            self.facts.merges.append(Merge(node, None, None))
        else:
            written: AccessKind = "write" if isinstance(node.ctx, ast.Store) else "delete"
            self._add(name, kind or ("read" if isinstance(node.ctx, ast.Load) else written), node, value)

    def _name(self, node: ast.Name) -> None:
        if node.id == self.owner:
            self.facts.opaque = True
        elif isinstance(node.ctx, ast.Store):
            self.facts.rebound.add(node.id)

    def _assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                self._attribute(target, value=node.value)
            else:
                self.visit(target)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            if isinstance(node.target, ast.Attribute):
                self._attribute(node.target, value=node.value)
            else:
                self.visit(node.target)

    def _augmented(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Attribute):
            self._attribute(node.target, kind="update")
        else:
            self.visit(node.target)

    def _try(self, node: ast.Try) -> None:
        catches = any(_catches(handler.type) for handler in node.handlers)
        self._protected(node.body, bool(node.handlers), catches)
        for child in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(child)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        suppressed = [
            argument
            for item in node.items
            if isinstance(item.context_expr, ast.Call)
            and _last_name(item.context_expr.func) in ("suppress", "raises")
            for argument in item.context_expr.args
        ]
        for item in node.items:
            self.visit(item)
        self._protected(node.body, bool(suppressed), any(_catches(argument) for argument in suppressed))

    def _protected(self, body: list[ast.stmt], in_try: bool, guarded: bool) -> None:
        before = self.in_try, self.guarded
        self.in_try, self.guarded = self.in_try or in_try, self.guarded or guarded
        for statement in body:
            self.visit(statement)
        self.in_try, self.guarded = before

    def _function(self, node: FunctionNode | ast.Lambda) -> None:
        if not isinstance(node, ast.Lambda):
            self.facts.functions.add(node.name)
            for decorator in node.decorator_list:
                self.visit(decorator)
        arguments = node.args
        for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(default)
        named = (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            arguments.vararg,
            arguments.kwarg,
        )
        if any(argument is not None and argument.arg == self.owner for argument in named):
            return
        for part in [node.body] if isinstance(node, ast.Lambda) else node.body:
            self.visit(part)

    def _call(self, node: ast.Call) -> None:
        if _is_super(node.func):
            return
        method = attribute_of(node.func, self.owner)
        called = node.func.id if isinstance(node.func, ast.Name) else None
        about_self = bool(node.args) and isinstance(node.args[0], ast.Name) and node.args[0].id == self.owner
        if method == "merge_artifacts":
            self.facts.merges.append(_merge(node))
            self._arguments(node)
        elif method == "next":
            self._next(node)
        elif called in _EXECUTORS:
            self.facts.opaque = True
        elif about_self and called in ("getattr", "hasattr", "setattr", "delattr"):
            self._by_name(node, called)
        elif about_self and called in _HARMLESS:
            self._arguments(node, skip=1)
        else:
            self._inside(node)

    def _arguments(self, node: ast.Call, skip: int = 0) -> None:
        for argument in (*node.args[skip:], *node.keywords):
            self.visit(argument)

    def _by_name(self, node: ast.Call, called: str) -> None:
        name = string_of(node.args[1]) if len(node.args) > 1 else None
        self._arguments(node, skip=2)
        if name is None:
            # A name that is not known here may be that of a method, or set any attribute.
            self.facts.opaque = self.facts.opaque or called != "hasattr"
            self._arguments(node, skip=1)
        elif called == "setattr":
            self._add(name, "write", node, node.args[2] if len(node.args) > 2 else None)
        elif called == "delattr":
            self._add(name, "delete", node)
        elif called == "hasattr" or len(node.args) > 2:
            self.facts.asked.add(name)
        else:
            self._add(name, "read", node)

    def _next(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            name = string_of(keyword.value) if keyword.arg in ("foreach", "condition") else None
            if name is None:
                self.visit(keyword)
            else:
                self._add(name, "read", keyword.value)
        for target in _targets(node):
            if attribute_of(target, self.owner) is None:
                self.visit(target)


def _targets(node: ast.Call) -> Iterator[ast.expr]:
    for argument in node.args:
        if isinstance(argument, ast.Dict):
            yield from filter(None, argument.keys)
            yield from argument.values
        else:
            yield argument


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _catches(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    caught_types = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_last_name(one) in _CATCH_ATTRIBUTE_ERROR for one in caught_types)


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _merge(node: ast.Call) -> Merge:
    # Positions as in merge_artifacts(inputs, exclude=None, include=None).
    given: dict[str | None, ast.expr] = dict(zip(("inputs", "exclude", "include"), node.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in node.keywords}
    if None in given or any(isinstance(argument, ast.Starred) for argument in node.args):
        return Merge(node, None, None)
    return Merge(node, _names(given.get("include")), _names(given.get("exclude")))


def _names(node: ast.expr | None) -> frozenset[str] | None:
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return frozenset()
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return None
    names = [string_of(element) for element in node.elts]
    return None if None in names else frozenset(name for name in names if name is not None)
