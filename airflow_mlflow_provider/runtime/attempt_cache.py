"""What an attempt of a step with ``@cache`` does before and after the step's code."""

from __future__ import annotations

import sys

from airflow_mlflow_provider.exception import StoreException
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.step_cache import (
    CACHE_METADATA,
    StepCache,
    TaskInputs,
    caches,
    reused_record,
)
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord


class AttemptCache:
    """The cache as one attempt sees it; does nothing for a step without ``@cache``.

    Args:
        ledger: The records.
        manifest: The flow.
        assignment: The attempt.
    """

    def __init__(self, ledger: Ledger, manifest: FlowManifest, assignment: Assignment) -> None:
        node = manifest.graph[assignment.key.step]
        cached = node.decorator("cache") is not None and not assignment.gang
        self._cache = StepCache(ledger, manifest, node) if cached else None
        self._looks_up = caches(node, assignment)
        self._assignment = assignment
        self._inputs: TaskInputs | None = None
        self.metadata: dict[str, str] = {}

    def reuse(self, inputs: TaskInputs, started_at: float) -> DoneRecord | None:
        """The record of an attempt that takes over an earlier result, ``None`` if the step has to run.

        Args:
            inputs: What the attempt starts from.
            started_at: When it began, in Unix seconds.
        """
        if self._cache is None:
            return None
        self._inputs = inputs
        if not self._looks_up:
            return None
        found = self._cache.look_up(self._assignment.key.task, inputs)
        if found.result is None:
            self.metadata = {CACHE_METADATA: f"miss {found.why}"}
            return None
        sys.stdout.write(f"Reused from the cache: {found.why}.\n")
        return reused_record(found.result, self._assignment, inputs, started_at)

    def keep(self, record: DoneRecord) -> None:
        """Keep the result of an attempt whose record is committed; a step that succeeded does not fail for its cache."""
        if self._cache is None or self._inputs is None or record.outcome != "succeeded":
            return
        if record.metadata.get(CACHE_METADATA, "").startswith("hit"):
            return
        try:
            self._cache.keep(record, self._inputs)
        except StoreException as error:
            sys.stderr.write(f"The result is not kept for @cache: {error}\n")
