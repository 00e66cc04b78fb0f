"""Source files, parsed once: where the functions and classes of a flow stand.

A running function knows its file and first line, so its syntax tree is found without executing or re-reading
anything else. Files that exist only in memory (notebook cells, ``exec`` with a registered source) come from
:mod:`linecache`.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import MetaflowException

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_IGNORE = re.compile(r"#\s*flow:\s*ignore\[([A-Z0-9,\s]+)\]")
_BLOCKS = ("body", "orelse", "finalbody")


class SourceFile(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One parsed file.

    Attributes:
        path: The file as Python names it in tracebacks.
        text: Its source.
        tree: Its syntax tree.
    """

    path: str
    text: str
    tree: ast.Module

    @cached_property
    def lines(self) -> list[str]:
        """The source by line, without line ends."""
        # Not splitlines(): the parser does not count form feeds and Unicode separators as line ends.
        return self.text.split("\n")

    @cached_property
    def _definitions(self) -> tuple[dict[tuple[str, int], FunctionNode], dict[str, list[ast.stmt]]]:
        functions: dict[tuple[str, int], FunctionNode] = {}
        qualified: dict[str, list[ast.stmt]] = {}
        pending: list[tuple[str, list[ast.stmt]]] = [("", self.tree.body)]
        while pending:
            prefix, body = pending.pop()
            for statement in body:
                if isinstance(statement, ast.ClassDef):
                    qualified.setdefault(prefix + statement.name, []).append(statement)
                    pending.append((f"{prefix}{statement.name}.", statement.body))
                elif isinstance(statement, FunctionNode):
                    functions[statement.name, _first_line(statement)] = statement
                    qualified.setdefault(prefix + statement.name, []).append(statement)
                    pending.append((f"{prefix}{statement.name}.<locals>.", statement.body))
                else:
                    pending += [(prefix, block) for block in _blocks(statement)]
        return functions, qualified

    def function(self, code: CodeType, qualname: str) -> FunctionNode | None:
        """The definition that ``code`` was compiled from; by its name if the file changed since."""
        functions, qualified = self._definitions
        if found := functions.get((code.co_name, code.co_firstlineno)):
            return found
        named = [node for node in qualified.get(qualname, ()) if isinstance(node, FunctionNode)]
        return named[-1] if named else None

    def class_body(self, qualname: str, containing: int | None = None) -> ast.ClassDef | None:
        """The class of this qualified name; if there are several, the one around line ``containing``, else the last."""
        named = [node for node in self._definitions[1].get(qualname, ()) if isinstance(node, ast.ClassDef)]
        if containing is not None:
            around = [c for c in named if c.lineno <= containing <= (c.end_lineno or c.lineno)]
            named = around or named
        return named[-1] if named else None

    def segment(self, node: ast.expr) -> str:
        """Source text of an expression, as written; several lines are joined by one space."""
        first, last = node.lineno, node.end_lineno or node.lineno
        encoded = [line.encode() for line in self.lines[first - 1 : last]]
        encoded[-1] = encoded[-1][: node.end_col_offset]
        encoded[0] = encoded[0][node.col_offset :]
        return " ".join(part.decode().strip() for part in encoded)

    @cached_property
    def _ignored(self) -> dict[int, frozenset[str]]:
        found: dict[int, frozenset[str]] = {}
        if "flow:" in self.text:
            for number, line in enumerate(self.lines, 1):
                if match := _IGNORE.search(line):
                    found[number] = frozenset(rule.strip() for rule in match[1].split(","))
        return found

    def ignores(self, line: int, rule: str) -> bool:
        """Whether ``# flow: ignore[RULE]`` stands on the line."""
        return rule in self._ignored.get(line, ())


def source_of(function: Any) -> tuple[SourceFile, FunctionNode]:
    """The file and the syntax tree of a function.

    Args:
        function: A function, or a wrapper that names what it wraps (``__wrapped__``).

    Raises:
        MetaflowException: The source cannot be found or parsed.
    """
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not isinstance(function, FunctionType):
        raise _unavailable(repr(function), "?", "it is not a function written in Python")
    code = function.__code__
    file = _file_of(code.co_filename, function.__globals__)
    if file is None:
        raise _unavailable(function.__qualname__, code.co_filename, "the file cannot be read")
    node = file.function(code, function.__qualname__)
    if node is None:
        raise _unavailable(function.__qualname__, code.co_filename, "the file no longer defines it")
    return file, node


def class_source(
    cls: type, containing: int | None = None, path: str | None = None
) -> tuple[SourceFile, ast.ClassDef] | None:
    """The file and the syntax tree of a class, or ``None`` if its source is not available.

    Args:
        cls: The class.
        containing: A line known to be inside it, to tell classes of the same name apart.
        path: Its file, if a function of it is known to be there; else the file of its module.
    """
    module = sys.modules.get(cls.__module__)
    path = path or getattr(module, "__file__", None)
    file = _file_of(path, getattr(module, "__dict__", {})) if path else None
    node = file.class_body(cls.__qualname__, containing) if file else None
    return (file, node) if file and node else None


_parsed: dict[str, tuple[object, SourceFile]] = {}


def _file_of(path: str, module_globals: dict[str, Any]) -> SourceFile | None:
    place = _place(Path(path), module_globals)
    try:
        status = place.stat()
    except OSError:
        text = "".join(linecache.getlines(path, module_globals))
        stamp: object = text
    else:
        text, stamp = "", (place, status.st_mtime_ns, status.st_size)
    if (known := _parsed.get(path)) and known[0] == stamp:
        return known[1]
    if isinstance(stamp, tuple):
        text = _read(place)
    if not text:
        return None
    file = SourceFile(path, text, _parse(text, path))
    _parsed[path] = (stamp, file)
    return file


def _place(path: Path, module_globals: dict[str, Any]) -> Path:
    """Where the file is now: the process may have left the folder that a relative path starts from."""
    named = module_globals.get("__file__")
    if (
        not path.is_absolute()
        and isinstance(named, str)
        and Path(named).name == path.name
        and not path.exists()
    ):
        return Path(named)
    return path


def _read(place: Path) -> str:
    import tokenize

    with tokenize.open(place) as opened:
        return opened.read()


def _parse(text: str, path: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # Python warned of invalid escapes and the like when it compiled the file.
            warnings.simplefilter("ignore")
            return ast.parse(text, path)
    except SyntaxError as error:
        raise MetaflowException(
            f"{path}:{error.lineno}: the source of the flow cannot be parsed: {error.msg}.",
            error.lineno,
            path,
            fix="Correct the syntax error; the file was changed after it had been imported.",
        ) from error


def _unavailable(name: str, path: str, why: str) -> MetaflowException:
    return MetaflowException(
        f"The source of {name} ({path}) is not available: {why}.",
        source_file=path,
        fix="Define the flow in a .py file or a notebook cell; its graph is read from the source.",
    )


def _first_line(node: FunctionNode) -> int:
    return node.decorator_list[0].lineno if node.decorator_list else node.lineno


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in _BLOCKS:
        if block := getattr(statement, name, None):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body
