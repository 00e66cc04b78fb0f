"""Expressions over configs, written before configs have values.

``cfg.database.port`` in a decorator is read when the class is defined, the value is known when the flow starts. What
is read meanwhile is a :class:`ConfigExpression`; :func:`evaluate` replaces expressions, at any depth of lists, tuples and dicts, by
their values.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.location import SourceLocation, caller_location

_UNPACKED = "\0unpacked-config-"
_unpack_numbers = itertools.count()


class ConfigExpression:
    """A value that is computed from the configs of the flow that owns it.

    Args:
        text: What is evaluated, as the user may recognise it in an error.
        compute: Gives the value for the configs by name.
        location: Where it was written.
    """

    __slots__ = ("_compute", "_location", "_text")

    def __init__(
        self, text: str, compute: Callable[[Mapping[str, Any]], Any], location: SourceLocation
    ) -> None:
        self._text = text
        self._compute = compute
        self._location = location

    def __getattr__(self, name: str) -> Any:
        # Copying, pickling and inspection ask for special names; those are never keys of a config.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return ConfigExpression(
            f"{self._text}.{name}", lambda configs: getattr(self._compute(configs), name), self._location
        )

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and key.startswith(_UNPACKED):
            return self
        return ConfigExpression(
            f"{self._text}[{key!r}]",
            lambda configs: self._compute(configs)[evaluate(key, configs)],
            self._location,
        )

    def keys(self) -> Iterator[str]:
        """One key that stands for all of them, so that ``**cfg.k8s`` can be written before they are known."""
        yield f"{_UNPACKED}{next(_unpack_numbers)}"

    def __iter__(self) -> Iterator[Any]:
        raise self._error("cannot be iterated over before the flow starts")

    def __bool__(self) -> bool:
        raise self._error("has no truth value before the flow starts")

    def __repr__(self) -> str:
        return f"<config expression {self._text}>"

    def _error(self, problem: str) -> MetaflowException:
        return MetaflowException(
            f"The config expression `{self._text}` {problem}.",
            self._location.line,
            self._location.file,
            fix="Write the whole expression as config_expr('…'), which is evaluated when the flow starts.",
            where={"expression": self._text},
        )


def expression_text(expression: ConfigExpression) -> str:
    """The expression as written."""
    return expression._text


def value_of(expression: ConfigExpression, configs: Mapping[str, Any]) -> Any:
    """Compute an expression.

    Args:
        expression: What to compute.
        configs: Values of the flow's configs, by name.

    Raises:
        MetaflowException: It names a config that the flow does not have, or cannot be computed.
    """
    try:
        return expression._compute(configs)
    except MetaflowException:
        raise
    except Exception as error:
        problem = (
            f"no config and no global is called {error.name!r}"
            if isinstance(error, NameError)
            else f"{type(error).__name__}: {error}"
        )
        raise MetaflowException(
            f"The config expression `{expression._text}` cannot be evaluated: {problem}. "
            f"Configs of this flow: {', '.join(sorted(configs)) or 'none'}.",
            expression._location.line,
            expression._location.file,
            fix="Correct the expression, or the config that it reads.",
            where={"expression": expression._text, "configs": sorted(configs)},
        ) from error


def evaluate(value: Any, configs: Mapping[str, Any]) -> Any:
    """Replace every expression in ``value`` by its value; other values are returned as they are.

    Raises:
        MetaflowException: An expression cannot be computed.
    """
    if isinstance(value, ConfigExpression):
        return value_of(value, configs)
    if type(value) is dict:
        return _evaluate_dict(value, configs)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(evaluate(element, configs) for element in value)
    return value


def has_expression(value: Any) -> bool:
    """Whether ``value`` is, or holds at any depth, an expression."""
    if isinstance(value, ConfigExpression):
        return True
    if type(value) is dict:
        return any(is_unpacked(key) or has_expression(element) for key, element in value.items())
    if type(value) in (list, tuple, set, frozenset):
        return any(has_expression(element) for element in value)
    return False


def is_unpacked(key: object) -> bool:
    """Whether a keyword stands for all keys of a config that was unpacked with ``**``."""
    return isinstance(key, str) and key.startswith(_UNPACKED)


def _evaluate_dict(value: dict[Any, Any], configs: Mapping[str, Any]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, element in value.items():
        computed = evaluate(element, configs)
        if not is_unpacked(key):
            result[key] = computed
        elif isinstance(computed, Mapping):
            result.update(computed)
        else:
            raise MetaflowException(
                f"`**` needs a config that is a mapping; {element!r} is a {type(computed).__name__}.",
                fix="Unpack a part of the config that holds keys and values.",
            )
    return result


def config_expr(expr: str) -> Any:
    """An expression over configs, for anywhere a config may be used before the flow has started.

    Args:
        expr: Python expression. Configs are known by their names, beside the globals of the calling module.

    Returns:
        A value that decorators, parameters and mutators of the flow replace by the result.

    Raises:
        MetaflowException: The text is not an expression. (At the flow's start: it cannot be evaluated.)
    """
    import sys

    location = caller_location()
    frame = sys._getframe(1)
    module_globals = frame.f_globals
    try:
        code = compile(expr, location.file, "eval")
    except SyntaxError as error:
        raise MetaflowException(
            f"config_expr({expr!r}) is not a Python expression: {error.msg}.",
            location.line,
            location.file,
            fix="Give one expression, such as config_expr('cfg.epochs * 2').",
            where={"expression": expr},
        ) from error

    # The flow's author wrote the text, as the rest of the flow; it runs where the author's code runs.
    # One namespace, because before Python 3.12 comprehensions do not see the locals of eval().
    def compute(configs: Mapping[str, Any]) -> Any:
        return eval(code, {**module_globals, **configs})  # noqa: S307

    return ConfigExpression(expr, compute, location)
