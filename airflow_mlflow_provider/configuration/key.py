"""One configuration key: what it is called, what it may hold, and how its text becomes a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SECTION = "mlflow_provider"

Kind = Literal["string", "integer", "float", "boolean", "list", "json"]
# What a key can hold; the kind of the key decides which. `json` gives what the JSON text holds.
Value = str | int | float | bool | tuple[str, ...] | dict[str, Any] | None

_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off"})


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the section.

    Args:
        name: The key as written in a configuration file, lower case.
        kind: The type of its value; ``list`` is a tuple of strings, ``json`` a JSON object.
        description: What it decides, with the unit where it has one.
        default: The typed value when nothing sets the key; ``None`` where the default is found out at run time.
        choices: The only values allowed, when not empty.
        minimum: The smallest number allowed.
        separator: What stands between the parts of a list; ``None`` is any white space.
        sensitive: Whether it holds a credential: masked by Airflow, never frozen into a deployment.
        example: A value as it may be written.
        fallback: The ``(section, option)`` of Airflow's own configuration that stands in when the key is not set.
    """

    name: str
    kind: Kind
    description: str
    default: Value = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    separator: str | None = ","
    sensitive: bool = False
    example: str | None = None
    fallback: tuple[str, str] | None = None

    @property
    def environment_variable(self) -> str:
        """The name of the environment variable that sets the key."""
        return f"AIRFLOW__{SECTION.upper()}__{self.name.upper()}"

    @property
    def allowed(self) -> str:
        """What may be written, in words, for an error message."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = {
            "string": "any text",
            "integer": "a whole number",
            "float": "a number",
            "boolean": "true or false",
            "list": "a list separated by " + (repr(self.separator) if self.separator else "white space"),
            "json": "a JSON object",
        }[self.kind]
        return words if self.minimum is None else f"{words} of at least {self.minimum:g}"

    @property
    def default_text(self) -> str | None:
        """The default as it would be written in a configuration file; ``None`` when there is none."""
        if self.default is None:
            return None
        if isinstance(self.default, bool):
            return str(self.default).lower()
        if isinstance(self.default, float):
            return f"{self.default:g}"
        if isinstance(self.default, tuple):
            return (self.separator or " ").join(self.default)
        return str(self.default)

    def parse(self, text: str) -> Value:
        """Turn the text of the key into its value; text without content gives the default.

        Raises:
            ValueError: The text is not an allowed value.
        """
        text = text.strip()
        if not text:
            return self.default
        if self.choices and text not in self.choices:
            raise ValueError(text)
        if self.kind == "boolean":
            return _boolean(text)
        if self.kind == "list":
            return tuple(part.strip() for part in text.split(self.separator) if part.strip())
        if self.kind == "json":
            return _json_object(text)
        if self.kind == "string":
            return text
        return self._number(text)

    def _number(self, text: str) -> int | float:
        number = int(text) if self.kind == "integer" else float(text)
        # Not `number < minimum`: that would let nan through.
        if self.minimum is not None and not number >= self.minimum:
            raise ValueError(text)
        return number


def _boolean(text: str) -> bool:
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(text)


def _json_object(text: str) -> dict[str, Any]:
    import json

    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value
