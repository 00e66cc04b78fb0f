"""How often a step is tried here, how long to wait in between, and when a try is killed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from airflow_mlflow_provider.flow.graph import StepNode

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.decorators.attempts import RetryPolicy


class AttemptPolicy(msgspec.Struct, frozen=True):
    """The policy of one step.

    Attributes:
        attempts: Attempts in all, at least 1.
        retry: What its ``@retry`` says, ``None`` without one.
        kill_after: Seconds after which an attempt is killed from outside, ``None`` for never.
    """

    attempts: int = 1
    retry: RetryPolicy | None = None
    kill_after: float | None = None

    def delay(self, made: int) -> float:
        """Seconds to wait after ``made`` attempts (at least 1) have failed."""
        if self.retry is None:
            return 0.0
        return self.retry.local_delay(made, random.random())  # noqa: S311 - spreads load, keeps no secret


def attempt_policy(node: StepNode, *, kill_grace: float) -> AttemptPolicy:
    """The policy that a step's ``@retry`` and ``@timeout`` ask for.

    Args:
        node: The step.
        kill_grace: Seconds beyond the step's own time limit before it is killed.
    """
    if not node.decorators:
        return AttemptPolicy()
    from airflow_mlflow_provider.flow.decorators.attempts import RetryPolicy, step_time_limit

    retry, limit = RetryPolicy.of(node), step_time_limit(node)
    return AttemptPolicy(
        attempts=1 + retry.times,
        retry=retry,
        kill_after=None if limit is None else limit + kill_grace,
    )
