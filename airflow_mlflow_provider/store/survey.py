"""How all tasks of a step stand, from one listing and without reading a record: for those who look at runs.

A listing tells when each attempt began and ended, by when its objects were written; an attempt that did not succeed has an
empty object beside its record that says so.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, Outcome, run_prefix

TaskState = Literal["running", "succeeded", "failed", "caught"]


class SurveyedTask(NamedTuple):
    """A task as a listing shows it.

    Attributes:
        key: Its newest attempt, in the run that ran it.
        state: ``running`` also where the process died without a word.
        began: When that attempt began, in Unix seconds; ``None`` if it is not known.
        ended: When it ended.
    """

    key: AttemptKey
    state: TaskState
    began: float | None = None
    ended: float | None = None


def survey_step(ledger: Ledger, flow: str, run: str, step: str) -> list[SurveyedTask]:
    """The tasks of a step that have begun or were taken over, in the order of the splits.

    The outcome of a task that was taken over counts as ``succeeded``, whether or not an error was caught.
    """
    found = {
        task: SurveyedTask(key, "succeeded")
        for task, key in ledger.carried(flow, run).keys(flow, step).items()
    }
    attempts: dict[str, dict[int, dict[str, float]]] = {}
    for item in ledger.store.list(f"{run_prefix(flow, run)}/tasks/{step}"):
        *_, task, attempt, name = item.key.split("/")
        if attempt.isdecimal():
            attempts.setdefault(task, {}).setdefault(int(attempt), {})[name] = item.modified
    for task, of_task in attempts.items():
        newest = max(of_task)
        names = of_task[newest]
        key = AttemptKey(flow, run, step, task, newest)
        found[task] = SurveyedTask(key, _state(names), names.get("begin.json"), names.get("done.json"))
    return [found[task] for task in sorted(found)]


def _state(names: dict[str, float]) -> TaskState:
    if "done.json" not in names:
        return "running"
    others: tuple[Outcome, ...] = ("failed", "caught")
    return next((outcome for outcome in others if outcome in names), "succeeded")
