"""What an attempt of a step with ``@cache`` does before and after the step's code."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from airflow_mlflow_provider.exception import StoreException
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.single_flight import Busy, Flight, Patience
from airflow_mlflow_provider.runtime.step_cache import (
    CACHE_METADATA,
    Lookup,
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
        waits: Called now and then while the attempt waits for another one that computes the same.
    """

    def __init__(
        self,
        ledger: Ledger,
        manifest: FlowManifest,
        assignment: Assignment,
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        node = manifest.graph[assignment.key.step]
        cached = node.decorator("cache") is not None and not assignment.gang
        self._cache = StepCache(ledger, manifest, node) if cached else None
        self._looks_up = caches(node, assignment)
        self._assignment = assignment
        self._waits = waits
        self._inputs: TaskInputs | None = None
        self._flight: Flight | None = None
        self.metadata: dict[str, str] = {}

    def reuse(self, inputs: TaskInputs, started_at: float) -> DoneRecord | None:
        """The record of an attempt that takes over an earlier result, ``None`` if the step has to run.

        While another attempt computes the result, this waits for it.

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
            found = self._claim(self._cache, inputs, found)
        if found.result is None:
            self.metadata = {CACHE_METADATA: f"miss {found.why}"}
            return None
        self.release()
        sys.stdout.write(f"Reused from the cache: {found.why}.\n")
        return reused_record(found.result, self._assignment, inputs, started_at)

    def keep(self, record: DoneRecord) -> None:
        """Keep the result of an attempt whose record is committed; a step that succeeded does not fail for its cache."""
        try:
            self._keep(record)
        except StoreException as error:
            sys.stderr.write(f"The result is not kept for @cache: {error}\n")
        self.release()

    def release(self) -> None:
        """Let others compute the result, if this attempt had it to compute."""
        if self._flight is not None:
            self._flight.release()
            self._flight = None

    def _keep(self, record: DoneRecord) -> None:
        if self._cache is None or self._inputs is None or record.outcome != "succeeded":
            return
        if not record.metadata.get(CACHE_METADATA, "").startswith("hit"):
            self._cache.keep(record, self._inputs)

    def _claim(self, cache: StepCache, inputs: TaskInputs, found: Lookup) -> Lookup:
        """Claim the result, or wait for whoever has; what the cache knows then."""
        from airflow_mlflow_provider.configuration import get

        key, patience = self._assignment.key, Patience(float(get("cache_wait_s")))
        flight = Flight(cache.store, cache.claim_key(inputs), key, float(get("cache_lease_s")))
        told = False
        while (busy := self._busy(flight, patience)) is not None:
            if not self._assignment.waits or patience.is_lost:
                return found
            if not told:
                told = True
                sys.stdout.write(f"Waiting for {busy.claim.key.pathspec}, which computes the same result.\n")
                sys.stdout.flush()
            begun = time.monotonic()
            time.sleep(patience.pause())
            self._waits()
            patience.waited(time.monotonic() - begun)
            found = cache.look_up(key.task, inputs)
            if found.result is not None:
                return found
        self._flight = flight
        flight.keep_alive()
        # Whoever gave the claim up, be it between our look and our claim, has kept a result first.
        return cache.look_up(key.task, inputs)

    def _busy(self, flight: Flight, patience: Patience) -> Busy | None:
        busy = flight.take()
        if busy is not None and patience.is_over(busy) and flight.take_over(busy):
            sys.stdout.write(
                f"{busy.claim.key.pathspec} gives no sign of life; the result is computed here.\n"
            )
            return None
        return busy
