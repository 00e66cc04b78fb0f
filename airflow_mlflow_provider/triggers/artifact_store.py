"""Triggers that wait in the triggerer for runs and artifacts, thousands at once and without a worker slot.

They read records. A look is a few short requests, made in a thread; a store that fails for a while is asked again.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_mlflow_provider.exception import StoreAccessDenied, StoreException
from airflow_mlflow_provider.hooks.store_connection import StoreConnection
from airflow_mlflow_provider.triggers.looking import Predicate, look_for_artifact, look_for_run

_PATIENCE_S = 600.0


class _StoreTrigger(BaseTrigger):
    """Looks again and again, and sends what it has found as one event; or ``{"error": …}``."""

    def __init__(self, artifact_store_conn_id: str | None, poke_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.artifact_store_conn_id = artifact_store_conn_id
        self.poke_interval = poke_interval

    @abstractmethod
    def look(self, store: StoreConnection) -> dict[str, Any] | None:
        """What is waited for, ``None`` if it is not there yet."""

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """The arguments of this class besides those of all."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and the arguments, for the triggerer that takes over."""
        own = {
            "artifact_store_conn_id": self.artifact_store_conn_id,
            "poke_interval": self.poke_interval,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self.arguments(), **own}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then send the event."""
        yield TriggerEvent(await self._await_it())  # type: ignore[no-untyped-call]

    async def _await_it(self) -> dict[str, Any]:
        store = StoreConnection(self.artifact_store_conn_id)
        # Not a plain thread: a look may ask the triggerer's own loop for a connection.
        look = sync_to_async(self.look, thread_sensitive=False)
        answered = time.monotonic()
        while True:
            try:
                found = await look(store)
                answered = time.monotonic()
            except StoreAccessDenied as error:
                return {"error": str(error)}
            except StoreException as error:
                if time.monotonic() - answered > _PATIENCE_S:
                    return {"error": str(error)}
                self.log.warning("The store failed, asking again: %s", error)
                found = None
            if found is not None:
                return found
            await asyncio.sleep(self.poke_interval)


class FlowRunTrigger(_StoreTrigger):
    """Waits for a run of a flow.

    :param flow: The flow.
    :param run: A run id, ``latest`` or ``latest-successful``; ``None`` for any run with the tags.
    :param tags: Tags that the run must have.
    :param states: States in which it must be.
    :param since: Only runs started from this Unix time on, where any will do.
    :param artifact_store_conn_id: The connection of the store.
    :param poke_interval: Seconds between two looks.
    """

    def __init__(
        self,
        *,
        flow: str,
        run: str | None = None,
        tags: Sequence[str] = (),
        states: Sequence[str] = (),
        since: float = 0.0,
        artifact_store_conn_id: str | None = None,
        poke_interval: float = 10.0,
    ) -> None:
        super().__init__(artifact_store_conn_id, poke_interval)
        self.flow, self.run_id, self.since = flow, run, since
        self.tags, self.states = list(tags), list(states)

    def arguments(self) -> dict[str, Any]:
        """The arguments of this class besides those of all."""
        return {
            "flow": self.flow,
            "run": self.run_id,
            "tags": self.tags,
            "states": self.states,
            "since": self.since,
        }

    def look(self, store: StoreConnection) -> dict[str, Any] | None:
        """The facts of the run, ``None`` if there is none yet."""
        return look_for_run(store.ledger, self.flow, self.run_id, self.tags, self.states, self.since)


class ArtifactTrigger(_StoreTrigger):
    """Waits for an artifact.

    :param artifact: What :meth:`ArtifactStoreHook.fetch` takes.
    :param predicate: What it must satisfy, see :class:`~airflow_mlflow_provider.triggers.looking.Predicate`.
    :param rejected: Digest of a value that the worker has looked at, and that does not.
    :param artifact_store_conn_id: The connection of the store.
    :param poke_interval: Seconds between two looks.
    """

    def __init__(
        self,
        *,
        artifact: str,
        predicate: Mapping[str, Any] | None = None,
        rejected: str = "",
        artifact_store_conn_id: str | None = None,
        poke_interval: float = 10.0,
    ) -> None:
        super().__init__(artifact_store_conn_id, poke_interval)
        self.artifact, self.predicate, self.rejected = artifact, predicate, rejected

    def arguments(self) -> dict[str, Any]:
        """The arguments of this class besides those of all."""
        return {"artifact": self.artifact, "predicate": self.predicate, "rejected": self.rejected}

    def look(self, store: StoreConnection) -> dict[str, Any] | None:
        """The facts of the artifact, ``None`` if there is none yet."""
        predicate = None if self.predicate is None else Predicate.of_data(self.predicate)
        return look_for_artifact(store.ledger, self.artifact, predicate, self.rejected)
