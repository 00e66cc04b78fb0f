"""``@cache``: reuse the result of an equal task of an earlier run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, overload

from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, listing
from airflow_mlflow_provider.flow.decorators.base import Problem, StepDecorator, StepFunction, decorate_step

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_TTL = "seconds, or text such as '90m', '12h' or '7d'"


class CacheDecorator(StepDecorator):
    """Reuse the results of a step; see :func:`cache`. The runtime looks them up."""

    name = "cache"
    fields: ClassVar[Fields] = {
        "version": anything(None, "a string or a number"),
        "ignore": listing((), allowed="a list of names of artifacts, parameters and configs"),
        "ttl": anything(None, _TTL),
    }

    def check(self) -> Iterator[Problem]:
        """Refuse a time to live that is none, and turn its text into seconds."""
        written = self.attributes["ttl"]
        try:
            self.attributes["ttl"] = seconds(written)
        except ValueError:
            yield self.bad_value("ttl", written, _TTL)
            self.attributes["ttl"] = None


def seconds(written: Any) -> float | None:
    """A duration in seconds.

    Args:
        written: Seconds as a number, a number with a unit (``s m h d w``), a ``timedelta``, or ``None``.

    Raises:
        ValueError: It is not a duration above zero.
    """
    if written is None:
        return None
    if hasattr(written, "total_seconds"):
        written = written.total_seconds()
    match = _DURATION.fullmatch(written.strip()) if isinstance(written, str) else None
    if match:
        value = float(match[1]) * _UNITS[match[2]]
    elif isinstance(written, bool) or not isinstance(written, (int, float, str)):
        raise ValueError(written)
    else:
        value = float(written)
    if not 0 < value < float("inf"):
        raise ValueError(written)
    return value


@overload
def cache(function: StepFunction, /) -> StepFunction: ...
@overload
def cache(
    *, version: str | int | None = None, ignore: Sequence[str] = (), ttl: float | str | None = None
) -> Callable[[StepFunction], StepFunction]: ...
def cache(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: when code, inputs, parameters and environment equal those of an earlier task, reuse its result.

    Args:
        function: The step, for ``@cache`` without parentheses.
        version: To be changed when something outside the code did.
        ignore: Names of inputs that do not matter.
        ttl: How long a result may be reused: seconds, or a text such as ``12h``; ``None`` for ever.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(CacheDecorator, function, attributes)
