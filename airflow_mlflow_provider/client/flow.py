"""``Metaflow``: all flows of a store; ``Flow``: the runs of one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import ClassVar

from airflow_mlflow_provider.client.core import MetaflowObject
from airflow_mlflow_provider.client.run import Run
from airflow_mlflow_provider.client.scope import get_metadata, get_namespace, ledger_of
from airflow_mlflow_provider.exception import MetaflowNotFound

# Runs are read in batches of these sizes, so that the first costs one request and many cost few.
_BATCHES = (1, 4, 16)
_LARGEST_BATCH = 64
_SHOWN_RUNS = 5


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
            flow = Flow.__new__(Flow)
            flow.__setstate__(
                {
                    "pathspec": name,
                    "attempt": None,
                    "namespace": get_namespace(),
                    "check": True,
                    "store": self._store,
                }
            )
            if flow.latest_run is not None:
                yield flow

    def __getitem__(self, name: str) -> Flow:
        try:
            return Flow(name, _store=self._store)
        except MetaflowNotFound:
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        return any(flow.id == name for flow in self)

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
        succeeded = self._visible(self._ledger.runs(self.id, successful=True))
        return next((run for run in succeeded if run.successful), None)

    def runs(self, *tags: str) -> Iterator[Run]:
        """The runs that have all of ``tags``, newest first."""
        return (run for run in self if not tags or run.tags.issuperset(tags))

    def is_in_namespace(self) -> bool:
        """Whether any run is."""
        return self._namespace is None or self.latest_run is not None

    def __iter__(self) -> Iterator[Run]:
        return self._visible(self._child_ids())

    def _visible(self, ids: Iterator[str]) -> Iterator[Run]:
        """The runs of these ids that are in the namespace."""
        sizes = itertools.chain(_BATCHES, itertools.repeat(_LARGEST_BATCH))
        for size in sizes:
            batch = list(itertools.islice(ids, size))
            for record in self._ledger.load_runs(self.id, batch):
                run = self._related(Run, self.id, record.run)
                run._record = record
                if run.is_in_namespace():
                    yield run
            if len(batch) < size:
                return

    def _require_existence(self) -> None:
        if not self._ledger.latest(self.id, 1):
            known = ", ".join(self._ledger.flows()[:10])
            raise self._absent(f"It has the flows {known}." if known else "It has no flow.")

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

    def _namespaces(self) -> list[str]:
        records = self._ledger.load_runs(self.id, self._ledger.latest(self.id, _SHOWN_RUNS))
        tags = {tag for record in records for tag in record.system_tags}
        return sorted(tag for tag in tags if tag.partition(":")[0] in ("user", "production"))

    def _facts(self) -> Iterator[tuple[str, object]]:
        runs = itertools.islice(self, _SHOWN_RUNS)
        yield "latest runs", [f"{run.id} {run.status} {run.created_at:%Y-%m-%d %H:%M:%S}" for run in runs]
