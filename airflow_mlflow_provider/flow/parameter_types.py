"""The types that parameters have, as the author names them, as JSON schema and as text on a command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec

TRUE_WORDS = frozenset({"1", "true", "t", "yes", "y", "on"})
FALSE_WORDS = frozenset({"0", "false", "f", "no", "n", "off"})
_JSON_TYPES = ["object", "array", "string", "number", "boolean", "null"]

Kind = Literal["string", "integer", "number", "boolean", "json", "list", "custom"]


class JSONTypeClass:
    """The type of a parameter that takes any JSON value. ``JSONType`` is its instance, to be given as ``type=``."""

    name = "JSON"

    def __repr__(self) -> str:
        return "JSONType"


JSONType = JSONTypeClass()


class WrongValue(Exception):
    """A value does not have the type; carries the words for an error.

    Args:
        expected: The type and its form, in words.
        got: The value or its type, in words.
    """

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got


class ParameterType(msgspec.Struct, frozen=True):
    """How the values of one parameter look.

    Attributes:
        kind: What they are; ``list`` is a list of strings given as one string, ``custom`` a type of the author's own.
        separator: For ``list``: what stands between the strings.
        convert: For ``custom``: makes the value from its text.
        label: Name of the type, in words.
    """

    kind: Kind
    separator: str | None = None
    convert: Callable[[str], Any] | None = None
    label: str = ""

    @property
    def expected(self) -> str:
        """The values that are accepted, in words."""
        return {
            "string": "a string",
            "integer": "an int",
            "number": "a float",
            "boolean": "a bool (true or false)",
            "json": "a JSON value",
            "list": f"a list of strings, or a string separated by {self.separator!r}",
            "custom": f"a value of the type {self.label}",
        }[self.kind]

    def schema(self, *, nullable: bool) -> dict[str, Any]:
        """The JSON schema of a value."""
        if self.kind == "json":
            return {"type": _JSON_TYPES}
        if self.kind == "custom":
            # The text that the author's type is made from; a default may already be a number or the like.
            return {"type": ["string", "number", "boolean", *(["null"] if nullable else [])]}
        if self.kind == "list":
            return {"type": ["string", "array", *(["null"] if nullable else [])], "items": {"type": "string"}}
        return {"type": [self.kind, "null"] if nullable else self.kind}

    def parse(self, text: str) -> Any:
        """The value of ``text`` as written on a command line or in a variable.

        Raises:
            WrongValue: It is not one.
        """
        try:
            return self._parse(text)
        except WrongValue:
            raise
        except Exception as error:
            # A type of the author's own may raise anything; click's types raise their own exceptions.
            raise WrongValue(self.expected, _shown(text)) from error

    def _parse(self, text: str) -> Any:
        if self.kind == "integer":
            return int(text)
        if self.kind == "number":
            return float(text)
        if self.kind == "boolean":
            return _boolean(text)
        if self.kind == "json":
            return json.loads(text)
        if self.kind == "list":
            return text.split(self.separator)
        if self.kind == "custom" and self.convert is not None:
            return self._json(self.convert(text))
        return text

    def check(self, value: Any) -> Any:
        """The value for a JSON value that a program gave.

        A whole number stands for the float of the same value, and a float without fraction for the int: JSON and
        browsers do not tell them apart. ``True`` is not ``1``.

        Raises:
            WrongValue: It has another type.
        """
        if self.kind == "json":
            return self._json(value)
        if self.kind == "list":
            return self._list(value)
        if self.kind == "custom":
            return self.parse(value) if isinstance(value, str) else self._json(value)
        if self.kind == "string" and type(value) is str:
            return value
        if self.kind == "boolean" and type(value) is bool:
            return value
        if self.kind == "integer" and (type(value) is int or (type(value) is float and value.is_integer())):
            return int(value)
        if self.kind == "number" and type(value) in (int, float):
            return float(value)
        raise WrongValue(self.expected, _shown(value))

    def _json(self, value: Any) -> Any:
        # Values travel as JSON from where they are given to where the steps run.
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise WrongValue(f"{self.expected} that JSON can hold", f"{_shown(value)} ({error})") from error
        return value

    def _list(self, value: Any) -> list[str]:
        if type(value) is str:
            return value.split(self.separator)
        if isinstance(value, (list, tuple)) and all(type(element) is str for element in value):
            return list(value)
        raise WrongValue(self.expected, _shown(value))


def parameter_type(given: Any, default: Any, separator: str | None) -> ParameterType:
    """The type for what the author gave as ``type=`` and ``default=``.

    Args:
        given: A builtin type, ``JSONType``, any callable that makes a value from text, or ``None`` to take the type of the
            default.
        default: The default as given; a function says nothing of the type.
        separator: The separator as given.
    """
    if given is None:
        given = str if default is None or callable(default) else type(default)
    if given is str and separator is not None:
        return ParameterType("list", separator)
    if isinstance(given, JSONTypeClass) or given is JSONTypeClass:
        return ParameterType("json")
    kinds: dict[Any, Kind] = {
        str: "string",
        int: "integer",
        float: "number",
        bool: "boolean",
        dict: "json",
        list: "json",
        tuple: "json",
    }
    if isinstance(given, type) and given in kinds:
        return ParameterType(kinds[given])
    return _custom(given)


def is_supported(given: Any) -> bool:
    """Whether ``type=`` is one of the documented types."""
    return given in (None, str, int, float, bool, JSONTypeClass) or isinstance(given, JSONTypeClass)


def _custom(given: Any) -> ParameterType:
    label = getattr(given, "name", None) or getattr(given, "__name__", None) or repr(given)
    click_convert = getattr(given, "convert", None)
    if callable(click_convert) and not isinstance(given, type):
        return ParameterType("custom", convert=lambda text: click_convert(text, None, None), label=str(label))
    return ParameterType("custom", convert=given if callable(given) else None, label=str(label))


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError(text)


def _shown(value: Any) -> str:
    text = repr(value)
    if len(text) > 80:
        text = f"{text[:77]}…"
    return f"{text}, a {type(value).__name__}"
