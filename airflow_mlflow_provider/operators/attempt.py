"""Which attempt a try of an Airflow task is. Airflow counts tries; the store counts attempts."""

from __future__ import annotations

from typing import NamedTuple

# Tries beyond those of the user's code in which `@catch` stands in for a process that died without a word.
CATCH_RETRIES = 3


class Attempt(NamedTuple):
    """One try of a task.

    Attributes:
        number: Storage attempt: counts on when the task is cleared, so no number is used twice.
        retry_count: Tries of this budget before this one. 0 on the first try and again after a clear.
        retries: How many retries the user's code has.
        caught: Whether ``@catch`` stands in when they are used up.
    """

    number: int
    retry_count: int
    retries: int
    caught: bool = False

    @property
    def last(self) -> bool:
        """Whether the user's code is not run again if it fails now."""
        return self.retry_count >= self.retries

    @property
    def is_fallback(self) -> bool:
        """Whether the user's code has used up its attempts, and only what ``@catch`` stores is left to do."""
        return self.caught and self.retry_count > self.retries


def attempt_of(try_number: int, max_tries: int, retries: int, caught: bool) -> Attempt:
    """Translate Airflow's counters.

    Args:
        try_number: Number of this try, from 1; grows for ever.
        max_tries: Airflow's counter; a clear sets it to the number of tries so far plus ``retries``.
        retries: Retries of the operator.
        caught: Whether the step has ``@catch``, so that ``CATCH_RETRIES`` of them are for the fallback.
    """
    return Attempt(
        number=try_number - 1,
        # A deployment since the task was scheduled may have given it other retries than it counts with.
        retry_count=min(max(try_number - (max_tries - retries + 1), 0), try_number - 1),
        retries=retries - (CATCH_RETRIES if caught else 0),
        caught=caught,
    )
