"""Keywords of a call as options of a command, checked before anything is started."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from airflow_mlflow_provider.programs.describing import DescribedParameter

_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("str", lambda value: isinstance(value, str)),
    "integer": ("int", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "number": ("float", lambda value: isinstance(value, (int, float)) and not isinstance(value, bool)),
    "boolean": ("bool", lambda value: isinstance(value, bool)),
    "list": ("list of str", lambda value: _is_strings(value) or isinstance(value, str)),
    "file": ("path", lambda value: isinstance(value, (str, os.PathLike))),
    # Anything else is of a type of the author's own, which is checked when the run starts.
    "json": ("value that JSON can hold", lambda value: json_text(value) is not None),
}


def option_words(
    options: Iterable[click.Parameter], given: Mapping[str, Any], call: str, also: Iterable[str] = ()
) -> list[str]:
    """The words of a command line for keywords.

    Args:
        options: The options of the command.
        given: Values by keyword: the option's name with ``_``, or the plural that Metaflow gives it; ``None`` is not passed on.
        call: What errors call it.
        also: Further keywords that the call knows, for the error.

    Raises:
        ValueError: A keyword is not known; names it and those that are.
        TypeError: A value has the wrong type; names the keyword, what is expected and what was given.
    """
    known = _by_keyword(options)
    words: list[str] = []
    for keyword, value in given.items():
        option = known.get(keyword)
        if option is None:
            raise ValueError(unknown_keyword(call, keyword, [*known, *also]))
        if value is not None:
            words += _words(option, keyword, value)
    return words


def parameter_values(
    parameters: Sequence[DescribedParameter],
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    call: str,
) -> dict[str, Any]:
    """The values of a flow's parameters as JSON, by name; ``None`` means the default.

    Args:
        parameters: The parameters.
        given: Values by keyword.
        environment: Variables that may give values as well.
        call: What errors call it.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A required parameter has no value.
    """
    values: dict[str, Any] = {}
    for parameter in parameters:
        value = given.get(keyword_of(parameter.name))
        if value is not None:
            values[parameter.name] = _json_value(parameter, value)
        elif parameter.required and parameter.variable not in environment:
            raise ValueError(f"{call} needs a value for the required parameter '{parameter.name}'.")
    return values


def keyword_of(name: str) -> str:
    """The keyword for the name of a parameter."""
    return name.replace("-", "_")


def unknown_keyword(call: str, keyword: str, known: Iterable[str]) -> str:
    """What an error says of a keyword that is not known."""
    return f"{call} takes no '{keyword}'; it takes {', '.join(sorted(set(known)))}."


def config_text(value: Any) -> str:
    """A config's value as the text of an option."""
    return value if isinstance(value, str) else json.dumps(value)


def _by_keyword(options: Iterable[click.Parameter]) -> dict[str, click.Parameter]:
    known: dict[str, click.Parameter] = {}
    for option in options:
        known[str(option.name)] = option
        known.update(
            {text.lstrip("-").replace("-", "_"): option for text in option.opts if text.startswith("--")}
        )
    return known


def _words(option: click.Parameter, keyword: str, value: Any) -> list[str]:
    if isinstance(option, click.Argument):
        return [str(value)]
    if isinstance(option, click.Option) and option.is_flag:
        return _flag_words(option, keyword, value)
    values = value if option.multiple else [value]
    if option.multiple and (isinstance(values, (str, bytes)) or not isinstance(values, Iterable)):
        raise _wrong(keyword, "a list", value)
    words: list[str] = []
    for each in values:
        words += [option.opts[0], *_texts(option, keyword, each)]
    return words


def _flag_words(option: click.Option, keyword: str, value: Any) -> list[str]:
    if not isinstance(value, bool):
        raise _wrong(keyword, "a bool", value)
    if value:
        return [option.opts[0]]
    return [option.secondary_opts[0]] if option.secondary_opts else []


def _texts(option: click.Parameter, keyword: str, value: Any) -> list[str]:
    if option.nargs > 1:
        if not isinstance(value, (list, tuple)) or len(value) != option.nargs:
            raise _wrong(keyword, f"a list of tuples of {option.nargs}", value)
        return [config_text(part) for part in value]
    if keyword == "package_suffixes" and isinstance(value, (list, tuple)):
        return [",".join(value)]
    expected, is_right = _expected(option.type)
    if not is_right(value):
        raise _wrong(keyword, expected, value)
    return [str(value)]


def _expected(kind: Any) -> tuple[str, Callable[[Any], bool]]:
    if isinstance(kind, click.Choice):
        choices = [str(choice) for choice in kind.choices]
        return f"one of {', '.join(choices)}", lambda value: value in choices
    if isinstance(kind, click.types.IntParamType):
        return "an int", _KINDS["integer"][1]
    if isinstance(kind, click.types.FloatParamType):
        return "a number", _KINDS["number"][1]
    return "a str", lambda value: isinstance(value, (str, os.PathLike))


def _json_value(parameter: DescribedParameter, value: Any) -> Any:
    expected, is_right = _KINDS.get(parameter.kind, _KINDS["json"])
    if not is_right(value):
        raise _wrong(parameter.name, expected, value)
    if parameter.kind == "file":
        return os.path.abspath(os.fspath(value))  # noqa: PTH100 - links stay as they are written
    return value


def _wrong(keyword: str, expected: str, value: Any) -> TypeError:
    return TypeError(f"'{keyword}' expects {expected}, and got {value!r} ({type(value).__name__}).")


def _is_strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def json_text(value: Any) -> str | None:
    """A value as JSON; ``None`` if it cannot be."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return None
