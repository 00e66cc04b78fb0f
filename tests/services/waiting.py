"""The one way tests wait: poll a condition, within a bound, and say what was being waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_SECONDS = 0.05


def wait_until(
    condition: Callable[[], Value],
    timeout: float,
    message: str | Callable[[], str],
    interval: float = POLL_SECONDS,
    longest_interval: float = 0.0,
) -> Value:
    """Call `condition` until it gives a truthy value, and return that value.

    Args:
        condition: called again and again; whatever it raises ends the wait at once.
        timeout: seconds to wait at most; the condition is always tried at least twice.
        message: what was awaited; a callable is evaluated only when the wait failed, so it may be costly.
        interval: seconds between two calls.
        longest_interval: seconds between two calls after long waiting, for what costs the awaited one time and stays once it is so: a
            tenth of the time waited, up to this.

    Raises:
        AssertionError: the condition was still falsy after `timeout` seconds.
    """
    began = time.monotonic()
    deadline = began + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            value = condition()
            if value:
                return value
            text = message() if callable(message) else message
            raise AssertionError(f"waited {timeout:g} s for: {text} (last value: {value!r})")
        time.sleep(max(interval, min(longest_interval, (time.monotonic() - began) / 10)))
