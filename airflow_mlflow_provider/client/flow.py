"""``Metaflow``: all flows of a store; ``Flow``: the runs of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from airflow_mlflow_provider.client.core import MetaflowObject
from airflow_mlflow_provider.client.run import Run
from airflow_mlflow_provider.client.scope import get_metadata, ledger_of
from airflow_mlflow_provider.exception import MetaflowNotFound


class Metaflow:
    """The flows of a store that have a run in the active namespace.

    Args:
        _current_metadata: URL of another store than the active one.
    """

    def __init__(self, _current_metadata: str | None = None) -> None:
        self._store = _current_metadata or get_metadata()

    @property
    def flows(self) -> list[Flow]:
        """The flows."""
        return list(self)

    def __iter__(self) -> Iterator[Flow]:
        for name in ledger_of(self._store).flows():
            flow = Flow(name, _namespace_check=False, _store=self._store)
            visible = Flow.__new__(Flow)
            visible.__setstate__({**flow.__getstate__(), "namespace": None, "check": True})
            visible._see_active_namespace()
            if next(iter(visible), None) is not None:
                yield visible

    def __getitem__(self, name: str) -> Flow:
        try:
            return Flow(name, _store=self._store)
        except MetaflowNotFound:
            raise KeyError(name) from None

    def __repr__(self) -> str:
        return "Metaflow()"


class Flow(MetaflowObject[Run]):
    """A flow: its runs, newest first."""

    SHAPE: ClassVar[str] = "Flow"

    @property
    def parent(self) -> None:
        """A flow has no parent."""
        return

    @property
    def latest_run(self) -> Run | None:
        """The newest run in the namespace, ``None`` if there is none."""
        return next(iter(self), None)

    @property
    def latest_successful_run(self) -> Run | None:
        """The newest run in the namespace that succeeded, ``None`` if there is none."""
        name = self.id
        limit = 1 if self._namespace is None else 100
        for run_id in self._ledger.latest(name, limit, successful=True):
            run = self._child(run_id)
            if run is not None:
                return run
        return next((run for run in self if run.successful), None)

    def runs(self, *tags: str) -> Iterator[Run]:
        """The runs that have all of ``tags``, newest first."""
        return (run for run in self if run.tags.issuperset(tags))

    def is_in_namespace(self) -> bool:
        """Whether any run is."""
        return self._namespace is None or self.latest_run is not None

    def _require_existence(self) -> None:
        if not self._ledger.latest(self.id, 1):
            known = ", ".join(self._ledger.flows()[:10])
            raise self._absent(f"It has the flows {known}." if known else "It has no flow.")

    def _see_active_namespace(self) -> None:
        from airflow_mlflow_provider.client.scope import get_namespace

        self._namespace = get_namespace()

    def _child_ids(self) -> Iterator[str]:
        return self._ledger.runs(self.id)

    def _has_child(self, id: str) -> bool:
        try:
            self._ledger.run(self.id, id)
        except MetaflowNotFound:
            return False
        return True

    def _child(self, id: str) -> Run | None:
        run = self._related(Run, self.id, id)
        return run if run.is_in_namespace() else None
