"""Where tasks of the store are in Airflow, as far as the user may know."""

from __future__ import annotations

from airflow_mlflow_provider.plugins.access import Asker
from airflow_mlflow_provider.plugins.models.instances import TaskPlace
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.store.records import AttemptKey, BeginRecord


class Places:
    """Finds tasks in Airflow by what they noted when they began.

    Args:
        run: The run that is looked at; tasks of other runs of its flow may be asked for.
        asker: Who asks.
    """

    def __init__(self, run: RunReader, asker: Asker) -> None:
        self._run, self._asker = run, asker
        self._known: dict[str, TaskPlace] = {}

    def of(self, pathspec: str) -> TaskPlace:
        """The place of a task, of its first attempt; of one in a DAG that the user may not read, its pathspec alone."""
        if pathspec not in self._known:
            flow, run, step, task = pathspec.split("/")
            begun = self._run.ledger.begun(AttemptKey(flow, run, step, task, 0))
            self._known[pathspec] = self._place(pathspec, begun)
        return self._known[pathspec]

    def _place(self, pathspec: str, begun: BeginRecord | None) -> TaskPlace:
        noted = begun.metadata if begun else {}
        dag_id = noted.get("dag_id")
        if not dag_id or (dag_id != self._run.dag_id and not self._asker.may("GET", dag_id)):
            return TaskPlace(pathspec=pathspec)
        return TaskPlace(
            pathspec=pathspec,
            dag_id=dag_id,
            dag_run_id=noted.get("dag_run_id"),
            task_id=noted.get("task_id"),
            map_index=int(noted.get("map_index", -1)),
        )
