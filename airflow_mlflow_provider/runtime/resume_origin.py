"""What a run that is resumed has left: which tasks finished, which failed, and their records, read when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from airflow_mlflow_provider.exception import MetaflowDataMissing
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, ROOT_TASK_ID
from airflow_mlflow_provider.runtime.run_members import members_key
from airflow_mlflow_provider.store.ended_tasks import EndedTasks, noted_ended_tasks
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord

Keys = Mapping[str, AttemptKey]


class Origin:
    """A run, as seen by the plan of one that resumes it.

    One read where the run has noted how its tasks ended, else one listing per step that is asked for. The records of a step are read all at once, and only where the graph does not
    say what they would.

    Args:
        ledger: The records.
        flow: Name of the flow.
        run: Run id.
    """

    def __init__(self, ledger: Ledger, flow: str, run: str) -> None:
        self._ledger, self._flow, self._run = ledger, flow, run
        self._ended: dict[str, tuple[Keys, Keys]] = {}
        self._records: dict[AttemptKey, DoneRecord] = {}
        self._tables: dict[tuple[AttemptKey, ...], dict[str, str] | None] = {}

    def finished(self, step: str) -> Keys:
        """The tasks of a step from which the run went on, by task id."""
        return self._of(step)[0]

    def failed(self, step: str) -> Keys:
        """The tasks of a step whose newest attempt failed, by task id."""
        return self._of(step)[1]

    def record(self, key: AttemptKey) -> DoneRecord:
        """The record of a finished task."""
        if key not in self._records:
            keys = list(self.finished(key.step).values())
            self._records.update(zip(keys, self._ledger.load_done(keys), strict=True))
        return self._records[key]

    def artifacts(self, parents: Sequence[AttemptKey]) -> Mapping[str, str] | None:
        """Digests of the artifacts that a step after ``parents`` sees; ``None`` if they are not one task that is there."""
        key = tuple(parents)
        if key not in self._tables:
            try:
                (record,) = self._ledger.load_done(parents)
            except (MetaflowDataMissing, ValueError):
                self._tables[key] = None
            else:
                self._tables[key] = {name: f"{e.codec}:{e.digest}" for name, e in record.artifacts.items()}
        return self._tables[key]

    def members(self) -> AttemptKey:
        """The attempt that holds the run's parameters, configs and constants.

        Not looked up: a run whose origin never stored them stores them itself.
        """
        carried = self._ledger.carried(self._flow, self._run).keys(self._flow, PARAMETERS_STEP)
        return carried.get(ROOT_TASK_ID) or members_key(self._flow, self._run)

    def _of(self, step: str) -> tuple[Keys, Keys]:
        if step not in self._ended:
            self._ended[step] = self._noted(step) or self._ledger.newest_finished_keys(
                self._flow, self._run, step
            )
        return self._ended[step]

    def _noted(self, step: str) -> tuple[Keys, Keys] | None:
        noted = self._noted_tasks
        if noted is None or step in noted.left_out:
            return None
        own = noted.finished.keys(self._flow, step)
        failed = noted.failed.keys(self._flow, step)
        carried = self._ledger.carried(self._flow, self._run).keys(self._flow, step)
        return {task: key for task, key in carried.items() if task not in failed} | own, failed

    @cached_property
    def _noted_tasks(self) -> EndedTasks | None:
        return noted_ended_tasks(self._ledger, self._flow, self._run)
