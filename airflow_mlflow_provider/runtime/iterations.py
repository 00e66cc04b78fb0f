"""The attempts of one iteration of a loop, on Airflow.

All iterations of a loop are one Airflow task, whose tries they share; ``@retry`` is for each iteration. So the task has as many retries
as all iterations together may need, and what an iteration has used of its own is counted from its records.
"""

from __future__ import annotations

from airflow_mlflow_provider.flow.decorators.attempts import RetryPolicy
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey


def attempts_made(ledger: Ledger, task: AttemptKey, oldest: int) -> int:
    """Attempts of a task that have begun, before one and within its budget.

    Args:
        ledger: The records.
        task: The attempt.
        oldest: First storage attempt of the budget: that of the first try, or of the first one since a clear.
    """
    begun = ledger.attempts(task.flow, task.run, task.step, task.task)
    return sum(oldest <= attempt < task.attempt for attempt in begun)


def is_used_up(node: StepNode, made: int) -> bool:
    """Whether an iteration is not tried again after a number of attempts.

    Args:
        node: The loop step.
        made: Attempts of the iteration that have failed.
    """
    return made > RetryPolicy.of(node).times
