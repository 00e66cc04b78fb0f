"""Whether two runs of a flow came to the same: artifact by artifact, by digest; no value is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry, AttemptKey


class TaskComparison(msgspec.Struct, frozen=True):
    """What became of one task's artifacts.

    Attributes:
        step: Name of the step.
        task: Task id, the same in both runs.
        equal: Names of the artifacts with equal bytes.
        different: Names of those with other bytes.
        missing: Names of those that only the first run has.
        added: Names of those that only the second run has.
        problem: Why the task could not be compared, or ``""``.
    """

    step: str
    task: str
    equal: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.different or self.missing or self.added or self.problem)


def compare_runs(
    ledger: Ledger, flow: str, first: str, second: str, steps: Iterable[str]
) -> list[TaskComparison]:
    """Compare the newest attempts of two runs' tasks; those that the second took over from the first are left out.

    Args:
        ledger: The records of the store.
        flow: Name of the flow.
        first: Run id.
        second: Run id of its replay.
        steps: The steps to look at, in the order of the answer.
    """
    compared: list[TaskComparison] = []
    for step in steps:
        if step != PARAMETERS_STEP:
            old = ledger.newest_done_keys(flow, first, step)
            new = ledger.newest_done_keys(flow, second, step)
            compared += _compare_step(ledger, step, old, new)
    return compared


def _compare_step(
    ledger: Ledger, step: str, old: Mapping[str, AttemptKey], new: Mapping[str, AttemptKey]
) -> list[TaskComparison]:
    tasks = [task for task in sorted({*old, *new}) if old.get(task) != new.get(task)]
    both = [task for task in tasks if task in old and task in new]
    before = dict(zip(both, ledger.load_done([old[task] for task in both]), strict=True))
    after = dict(zip(both, ledger.load_done([new[task] for task in both]), strict=True))
    compared = []
    for task in tasks:
        if task not in new:
            compared.append(TaskComparison(step, task, problem="did not finish in the replay"))
        elif task not in old:
            compared.append(TaskComparison(step, task, problem="did not finish in the origin"))
        elif before[task].outcome != after[task].outcome:
            problem = f"{before[task].outcome} in the origin, {after[task].outcome} in the replay"
            compared.append(TaskComparison(step, task, problem=problem))
        else:
            compared.append(_compare_artifacts(step, task, before[task].artifacts, after[task].artifacts))
    return compared


def _compare_artifacts(
    step: str, task: str, old: Mapping[str, ArtifactEntry], new: Mapping[str, ArtifactEntry]
) -> TaskComparison:
    both = sorted(old.keys() & new.keys())
    return TaskComparison(
        step,
        task,
        equal=tuple(name for name in both if old[name].digest == new[name].digest),
        different=tuple(name for name in both if old[name].digest != new[name].digest),
        missing=tuple(sorted(old.keys() - new.keys())),
        added=tuple(sorted(new.keys() - old.keys())),
    )
