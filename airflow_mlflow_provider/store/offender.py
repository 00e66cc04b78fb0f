"""Finding the member that keeps a value from being pickled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from airflow_mlflow_provider.store.codecs import type_name
from airflow_mlflow_provider.store.pickling import PROTOCOL, dump

_SEARCH_SECONDS = 2.0
_DEEPEST = 40


class Offender(NamedTuple):
    """What cannot be pickled.

    Attributes:
        path: How to get there from the artifact, such as ``model.layers[3].lock``.
        type: Its type, such as ``_thread.lock``.
        chain: Every object on the way, the artifact first.
    """

    path: str
    type: str
    chain: tuple[Any, ...]


def find_offender(name: str, value: Any) -> Offender:
    """The innermost member of ``value`` that cannot be pickled, as far as it is found in two seconds.

    Args:
        name: What the artifact is called.
        value: A value that :func:`~airflow_mlflow_provider.store.pickling.dump` has refused.
    """
    until = time.monotonic() + _SEARCH_SECONDS
    path, chain = name, [value]
    while len(chain) < _DEEPEST and time.monotonic() < until and not _refuses(chain[-1]):
        for step, member in _members(chain[-1]):
            if not any(member is seen for seen in chain) and not _can_pickle(member):
                path += step
                chain.append(member)
                break
            if time.monotonic() > until:
                break
        else:
            break
    return Offender(path, type_name(chain[-1]), tuple(chain))


def _can_pickle(value: Any) -> bool:
    try:
        dump(value)
    except Exception:  # noqa: BLE001 - any failure of the value's own code is the answer
        return False
    return True


def _refuses(value: Any) -> bool:
    """Whether a value itself says that it cannot be pickled, whatever its members are."""
    if isinstance(value, FunctionType):
        return False
    try:
        value.__reduce_ex__(PROTOCOL)
    except Exception:  # noqa: BLE001 - any failure of the value's own code is the answer
        return True
    return False


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """The members of a value, each with the source text that leads to it."""
    if isinstance(value, Mapping):
        for key, member in list(value.items()):
            yield f"[{_short(key)}]", member
            yield f".key({_short(key)})", key
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(value):
            yield f"[{index}]", member
    elif isinstance(value, (set, frozenset)):
        for member in value:
            yield f".member({_short(member)})", member
    yield from _attributes(value)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    for name, member in list(getattr(value, "__dict__", {}).items() if not isinstance(value, type) else ()):
        yield f".{name}", member
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"} and hasattr(value, name):
                yield f".{name}", getattr(value, name)
    for cell, name in zip(getattr(value, "__closure__", None) or (), _free_names(value), strict=False):
        yield f".closure({name})", cell.cell_contents
    if hasattr(value, "__self__") and hasattr(value, "__func__"):
        yield ".__self__", value.__self__


def _free_names(value: Any) -> tuple[str, ...]:
    code = getattr(value, "__code__", None)
    return () if code is None else code.co_freevars


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bytes)) else type_name(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
