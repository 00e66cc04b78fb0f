"""How often a step is tried, how long to wait in between, and when a try is killed."""

from __future__ import annotations

import random

import msgspec

from airflow_mlflow_provider.flow.graph import StepNode


class AttemptPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """The policy of one step.

    Attributes:
        attempts: Attempts in all, at least 1.
        delay_seconds: Seconds before the first retry.
        exponential: Whether each further wait is twice the one before.
        max_delay_seconds: Longest wait, ``None`` for any.
        jitter: Fraction of the wait that is random, 0 to 1.
        time_limit: Seconds of the step's ``@timeout``, ``None`` without one.
        kill_after: Seconds after which an attempt is killed from outside, ``None`` for never.
    """

    attempts: int = 1
    delay_seconds: float = 0.0
    exponential: bool = False
    max_delay_seconds: float | None = None
    jitter: float = 0.0
    time_limit: float | None = None
    kill_after: float | None = None

    def delay(self, made: int) -> float:
        """Seconds to wait after ``made`` attempts (at least 1) have failed."""
        wait = self.delay_seconds * (2.0 ** (made - 1) if self.exponential else 1.0)
        if self.max_delay_seconds is not None:
            wait = min(wait, self.max_delay_seconds)
        return wait * (1.0 - self.jitter * random.random())  # noqa: S311 - spreads load, keeps no secret


def attempt_policy(node: StepNode, *, kill_grace: float, wait: bool = True) -> AttemptPolicy:
    """The policy that a step's ``@retry`` and ``@timeout`` ask for.

    Args:
        node: The step.
        kill_grace: Seconds beyond the step's own time limit before it is killed.
        wait: Whether to wait between attempts as ``@retry`` says.
    """
    retry, timeout = node.decorator("retry"), node.decorator("timeout")
    limit = None
    if timeout is not None:
        parts = timeout.attributes
        limit = parts.get("seconds", 0) + 60 * parts.get("minutes", 0) + 3600 * parts.get("hours", 0)
    if retry is None:
        return AttemptPolicy(time_limit=limit, kill_after=None if limit is None else limit + kill_grace)
    attributes = retry.attributes
    longest = attributes.get("max_minutes_between_retries")
    return AttemptPolicy(
        attempts=1 + int(attributes.get("times", 3)),
        delay_seconds=60.0 * attributes.get("minutes_between_retries", 2) if wait else 0.0,
        exponential=attributes.get("backoff") == "exponential",
        max_delay_seconds=None if longest is None else 60.0 * longest,
        jitter=float(attributes.get("jitter") or 0.0),
        time_limit=limit,
        kill_after=None if limit is None else limit + kill_grace,
    )
