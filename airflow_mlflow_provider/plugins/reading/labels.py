"""What the splits of a foreach are called: the labels that the tasks which opened them recorded, not one read a task."""

from __future__ import annotations

import functools
from collections.abc import Callable

from airflow_mlflow_provider.plan.identity import parse_task_id, task_id
from airflow_mlflow_provider.plugins.models.tasks import SplitLabel
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

# Splits of inner levels that are searched by value: so many tasks that opened one.
_MOST_OPENED = 500


class Labels:
    """The labels of the splits in which the tasks of a step run.

    Args:
        run: The run.
        step: Name of the step.
    """

    def __init__(self, run: RunReader, step: str) -> None:
        self._run = run
        self._frames = run.graph[step].frames
        self._opened: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, task: str) -> list[SplitLabel]:
        """The labels of a task, or of the beginning of a task's id, outermost first."""
        path, _ = parse_task_id(task)
        made = []
        for level, (step, index) in enumerate(zip(self._frames, path, strict=False)):
            opener = self._run.graph[step].transition
            labels = self._labels(step, task_id(path[:level]))
            made.append(
                SplitLabel(
                    step=step,
                    var=opener.foreach if opener else None,
                    index=index,
                    label=labels[index] if index < len(labels) else str(index),
                )
            )
        return made

    def matching(self, value: str) -> Callable[[str], bool]:
        """Tells of a task id whether it, or the label of one of its splits, holds a text; case does not count."""
        wanted = value.casefold()
        self._read_ahead()

        @functools.cache
        def holds(level: int, path: tuple[int, ...]) -> bool:
            labels = self._opened.get((self._frames[level], task_id(path[:level])), ())
            index = path[level]
            return index < len(labels) and wanted in labels[index].casefold()

        def matches(task: str) -> bool:
            path, _ = parse_task_id(task)
            levels = range(min(len(path), len(self._frames)))
            return wanted in task or any(holds(level, path[: level + 1]) for level in levels)

        return matches

    def _labels(self, step: str, task: str) -> tuple[str, ...]:
        if (step, task) not in self._opened:
            found = next((one.key for one in self._run.survey(step) if one.key.task == task), None)
            self._opened[step, task] = () if found is None else _recorded(self._run.ledger, [found])[0]
        return self._opened[step, task]

    def _read_ahead(self) -> None:
        for step in self._frames:
            keys = [task.key for task in self._run.survey(step) if task.state != "running"][:_MOST_OPENED]
            for key, labels in zip(keys, _recorded(self._run.ledger, keys), strict=True):
                self._opened[step, key.task] = labels


def _recorded(ledger: Ledger, keys: list[AttemptKey]) -> list[tuple[str, ...]]:
    taken = [record.transition for record in ledger.load_done(keys)]
    return [transition.labels if transition else () for transition in taken]
