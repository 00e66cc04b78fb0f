"""The value of a config: a mapping that is read with dots and cannot be changed, at any depth."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NoReturn


class ConfigValue(dict[str, Any]):
    """An immutable dict whose keys are attributes as well; dicts and lists inside are immutable too.

    Args:
        values: The keys and values.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__({key: frozen(value) for key, value in (values or {}).items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            pass
        close = difflib.get_close_matches(name, map(str, self), n=1)
        hint = (
            f"; did you mean '{close[0]}'?"
            if close
            else f"; it has: {', '.join(map(str, self)) or 'nothing'}."
        )
        raise AttributeError(f"The config has no key '{name}'{hint}")

    def to_dict(self) -> dict[str, Any]:
        """A mutable copy of plain dicts and lists."""
        return {key: thawed(value) for key, value in self.items()}

    def copy(self) -> ConfigValue:
        """An equal value; as immutable as this one."""
        return ConfigValue(self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(key for key in self if key.isidentifier())]

    # Pickle would fill an empty dict item by item, which is refused.
    def __reduce__(self) -> tuple[Any, ...]:
        return ConfigValue, (self.to_dict(),)

    def __copy__(self) -> ConfigValue:
        return self

    def __deepcopy__(self, memo: Any) -> ConfigValue:
        return self

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        _refuse(name)

    def __delattr__(self, name: str) -> NoReturn:
        _refuse(name)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        _refuse(key)

    def __delitem__(self, key: Any) -> NoReturn:
        _refuse(key)

    def __ior__(self, other: Any) -> NoReturn:
        _refuse(", ".join(map(str, other)))

    def __or__(self, other: Any) -> Any:
        return self.to_dict() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.to_dict()

    def clear(self) -> NoReturn:
        """Refused."""
        _refuse("*")

    def pop(self, key: Any, *default: Any) -> NoReturn:
        """Refused."""
        _refuse(key)

    def popitem(self) -> NoReturn:
        """Refused."""
        _refuse("*")

    def setdefault(self, key: Any, default: Any = None) -> NoReturn:
        """Refused."""
        _refuse(key)

    def update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        _refuse(", ".join(map(str, dict(*args, **kwargs))))


class FrozenList(list[Any]):
    """A list inside a config; immutable."""

    def __init__(self, values: Any = ()) -> None:
        super().__init__(frozen(value) for value in values)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, ([thawed(value) for value in self],)

    def __copy__(self) -> FrozenList:
        return self

    def __deepcopy__(self, memo: Any) -> FrozenList:
        return self

    def copy(self) -> list[Any]:
        """A mutable list of the same elements."""
        return list(self)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        _refuse(index)

    def __delitem__(self, index: Any) -> NoReturn:
        _refuse(index)

    def __iadd__(self, other: Any) -> NoReturn:  # type: ignore[misc]
        _refuse(len(self))

    def __imul__(self, other: Any) -> NoReturn:  # type: ignore[misc]
        _refuse(len(self))

    def append(self, value: Any) -> NoReturn:
        """Refused."""
        _refuse(len(self))

    def extend(self, values: Any) -> NoReturn:
        """Refused."""
        _refuse(len(self))

    def insert(self, index: Any, value: Any) -> NoReturn:
        """Refused."""
        _refuse(index)

    def pop(self, index: Any = -1) -> NoReturn:
        """Refused."""
        _refuse(index)

    def remove(self, value: Any) -> NoReturn:
        """Refused."""
        _refuse(value)

    def clear(self) -> NoReturn:
        """Refused."""
        _refuse("*")

    def sort(self, **kwargs: Any) -> NoReturn:
        """Refused."""
        _refuse("*")

    def reverse(self) -> NoReturn:
        """Refused."""
        _refuse("*")


def frozen(value: Any) -> Any:
    """The value with dicts and lists made immutable, at any depth."""
    if isinstance(value, (ConfigValue, FrozenList)):
        return value
    if isinstance(value, Mapping):
        return ConfigValue(value)
    if isinstance(value, (list, tuple)):
        return FrozenList(value)
    return value


def thawed(value: Any) -> Any:
    """The value as plain dicts and lists, at any depth."""
    if isinstance(value, Mapping):
        return {key: thawed(element) for key, element in value.items()}
    if isinstance(value, list):
        return [thawed(element) for element in value]
    return value


def _refuse(key: Any) -> NoReturn:
    raise TypeError(
        f"The config cannot be changed (at '{key}'): its value is fixed when the run starts. "
        "Take a mutable copy with to_dict()."
    )
