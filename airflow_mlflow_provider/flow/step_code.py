"""What the code of a step is, as a digest that stays the same while nothing a step runs has changed.

It covers the step's own body, the functions, classes and values of the same file that the body names, directly or through one
another, the methods of the flow's class that it calls, and the modules of the project (files below the flow's folder) that these import.
Comments, blank lines and the decorators of the step do not count; packages that are installed do not either: they are the
environment's. The idea of following what a function names is that of redun and of joblib's ``Memory``.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from airflow_mlflow_provider.flow.source_file import FunctionNode, SourceFile, class_source
from airflow_mlflow_provider.flow.step_source import StepSource, is_step

_DIGEST_BYTES = 16
_Definition = ast.stmt


def step_code(step: StepSource, flow_class: type) -> str:
    """Digest of the code of a step, as 32 hex digits.

    Args:
        step: The step as written.
        flow_class: The flow, whose methods it may call.
    """
    code = _StepCode(step, flow_class)
    code.follow()
    return hashlib.blake2b("\n".join(code.parts).encode(), digest_size=_DIGEST_BYTES).hexdigest()


class _StepCode:
    def __init__(self, step: StepSource, flow_class: type) -> None:
        self.parts: list[str] = []
        self._step = step
        self._flow_class = flow_class
        self._names = _TopLevel.of(step.file)
        self._waiting: list[ast.AST] = [step.node.args, *step.node.body]
        self._followed: set[str] = set()

    def follow(self) -> None:
        """Collect all parts, each thing once, in an order that the source alone decides."""
        while self._waiting:
            node = self._waiting.pop(0)
            self.parts.append(ast.dump(node))
            for name in sorted(_named(node, self._step.self_name)):
                if name not in self._followed:
                    self._followed.add(name)
                    self._waiting += self._definitions(name)

    def _definitions(self, name: str) -> Iterator[ast.AST]:
        if name.startswith("self."):
            yield from self._method(name.removeprefix("self."))
            return
        for statement in self._names.definitions.get(name, ()):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
            elif not self._is_flow(statement):
                yield statement

    def _is_flow(self, statement: ast.AST) -> bool:
        return isinstance(statement, ast.ClassDef) and statement.name == self._flow_class.__name__

    def _method(self, name: str) -> Iterator[ast.AST]:
        """The definition of a helper method; other steps are tasks of their own."""
        for owner in self._flow_class.__mro__:
            if name not in vars(owner):
                continue
            found = class_source(owner) if not is_step(vars(owner)[name]) else None
            for statement in found[1].body if found else ():
                if isinstance(statement, FunctionNode) and statement.name == name:
                    yield statement
            return

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        folder = Path(self._step.file.path).parent
        for module in sorted(project_modules(statement, folder)):
            if str(module) not in self._followed:
                self._followed.add(str(module))
                self._add_module(module, folder)

    def _add_module(self, module: Path, folder: Path) -> None:
        text = module.read_bytes()
        self.parts.append(
            f"{module.relative_to(folder)} {hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()}"
        )
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)


class _TopLevel:
    """What a file defines at its top level, by name."""

    _known: tuple[SourceFile, _TopLevel] | None = None

    def __init__(self, file: SourceFile) -> None:
        self._file = file

    @classmethod
    def of(cls, file: SourceFile) -> _TopLevel:
        """The definitions of a file; those of the last one asked for are kept, as steps share a file."""
        if cls._known is None or cls._known[0] is not file:
            cls._known = (file, cls(file))
        return cls._known[1]

    @cached_property
    def definitions(self) -> dict[str, list[_Definition]]:
        """The statements that bind each name."""
        found: dict[str, list[_Definition]] = {}
        for statement in self._file.tree.body:
            for name in _bound(statement):
                found.setdefault(name, []).append(statement)
        return found


def project_modules(statement: ast.Import | ast.ImportFrom, folder: Path) -> set[Path]:
    """The files below ``folder`` that an import statement of a file in it loads."""
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
    else:
        base = statement.module or ""
        names = [base, *(f"{base}.{alias.name}".strip(".") for alias in statement.names)]
    found = set()
    for name in filter(None, names):
        parts = name.split(".")
        # The packages around a module are imported as well.
        for depth in range(1, len(parts) + 1):
            place = folder.joinpath(*parts[:depth])
            found |= {file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()}
    return found


def _named(node: ast.AST, self_name: str) -> set[str]:
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif (
            isinstance(part, ast.Attribute)
            and isinstance(part.value, ast.Name)
            and part.value.id in (self_name, "self")
        ):
            names.add(f"self.{part.attr}")
    return names


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    else:
        for part in ast.walk(statement):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id
