"""The attributes that decorators take: their defaults, what they accept, and how text becomes a value.

``--with retry:times=4`` and a config file give text where source code gives numbers; each field converts once and says
in words what it accepts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.parameter_types import FALSE_WORDS, TRUE_WORDS


class Field(msgspec.Struct, frozen=True):
    """One attribute of a decorator.

    Args:
        default: Its value when it is not written.
        convert: Gives the value for what was written; raises ``ValueError`` or ``TypeError`` if that is not allowed.
        allowed: What may be written, in words.
        nullable: Whether ``None`` may be written.
    """

    default: Any
    convert: Callable[[Any], Any]
    allowed: str
    nullable: bool = False

    def value(self, written: Any) -> Any:
        """Return the value for what was written.

        Raises:
            ValueError: It is not allowed.
        """
        if written is None and (self.nullable or self.default is None):
            return None
        try:
            return self.convert(written)
        except (TypeError, OverflowError) as error:
            raise ValueError(str(error)) from error


Fields = Mapping[str, Field]


def anything(default: Any = None, allowed: str = "any value") -> Field:
    """A field that takes every value; its decorator checks it."""
    return Field(default, lambda written: written, allowed, nullable=True)


def text(default: str | None = None, *, choices: Sequence[str] = ()) -> Field:
    """A field of text, or of one of a few words in any case."""
    spelling = {choice.lower(): choice for choice in choices}

    def convert(written: Any) -> str:
        if not isinstance(written, str) or (choices and written.lower() not in spelling):
            raise ValueError(written)
        return spelling[written.lower()] if choices else written

    allowed = "one of " + ", ".join(repr(choice) for choice in choices) if choices else "a string"
    return Field(default, convert, allowed)


def whole_number(default: int | None, *, minimum: int | None = None) -> Field:
    """A field of whole numbers."""

    def convert(written: Any) -> int:
        if isinstance(written, bool):
            raise ValueError(written)
        value = int(written)
        if value != float(written) or (minimum is not None and value < minimum):
            raise ValueError(written)
        return value

    return Field(default, convert, "a whole number" + _at_least(minimum))


def number(default: float | None, *, minimum: float | None = None, maximum: float | None = None) -> Field:
    """A field of finite numbers; whole ones stay ``int``."""

    def convert(written: Any) -> int | float:
        if isinstance(written, bool):
            raise ValueError(written)
        value = float(written)
        below = minimum is not None and value < minimum
        above = maximum is not None and value > maximum
        if not math.isfinite(value) or below or above:
            raise ValueError(written)
        return int(value) if value.is_integer() else value

    above = "" if maximum is None else f" and at most {maximum:g}"
    return Field(default, convert, "a number" + _at_least(minimum) + above)


def flag(default: bool | None) -> Field:
    """A field of truth values."""

    def convert(written: Any) -> bool:
        if isinstance(written, bool):
            return written
        word = str(written).lower()
        if isinstance(written, (str, int)) and word in TRUE_WORDS | FALSE_WORDS:
            return word in TRUE_WORDS
        raise ValueError(written)

    return Field(default, convert, "True or False")


def mapping(default: Mapping[str, Any] | None) -> Field:
    """A field of dicts with string keys."""

    def convert(written: Any) -> dict[str, Any]:
        if not isinstance(written, Mapping) or not all(isinstance(key, str) for key in written):
            raise ValueError(written)
        return dict(written)

    return Field(default, convert, "a dict with string keys", nullable=True)


def listing(default: Sequence[Any] | None, *, allowed: str = "a list") -> Field:
    """A field of lists; one string is split at its commas."""

    def convert(written: Any) -> list[Any]:
        if isinstance(written, str):
            return [part.strip() for part in written.split(",") if part.strip()]
        if isinstance(written, (list, tuple, set, frozenset)):
            return list(written)
        raise ValueError(written)

    return Field(default, convert, allowed, nullable=True)


def _at_least(minimum: float | None) -> str:
    return "" if minimum is None else f" of at least {minimum:g}"
