"""Many tasks in few bytes: those of one step with one run and attempt number share these."""

from __future__ import annotations

from collections import defaultdict

from airflow_mlflow_provider.store.records import AttemptKey, Carried, CarriedTasks


class TaskGroups:
    """Collects attempts, in the order in which they come."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[tuple[str, int], list[str]]] = defaultdict(lambda: defaultdict(list))

    def add(self, key: AttemptKey) -> None:
        """Add an attempt."""
        self._steps[key.step][key.run, key.attempt].append(key.task)

    def carried(self) -> Carried:
        """All of them."""
        return Carried(
            {
                step: tuple(
                    CarriedTasks(run, attempt, tuple(tasks)) for (run, attempt), tasks in groups.items()
                )
                for step, groups in self._steps.items()
            }
        )
