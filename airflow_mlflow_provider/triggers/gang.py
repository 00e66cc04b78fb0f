"""Waits in Airflow's triggerer for the pods of a gang: until all have ended, or one has failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome
from airflow_mlflow_provider.triggers.pod import PodTrigger


class GangTrigger(BaseTrigger):
    """Sends one event: ``path``, and ``pods`` with what was given of each and its ``outcome``, ``None`` of one that still lives.

    Args:
        path: Index path of the gang's split.
        pods: For each pod ``node``, its index in the gang, and the arguments of a :class:`PodTrigger`.
    """

    def __init__(self, *, path: Sequence[int], pods: Sequence[dict[str, Any]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = list(path)
        self.pods = [dict(pod) for pod in pods]
        self._watchers = [PodTrigger(**{k: v for k, v in pod.items() if k != "node"}) for pod in self.pods]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and the arguments, for the triggerer that takes over."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"path": self.path, "pods": self.pods}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then send the event."""
        outcomes = await self._await_end()
        for watcher in self._watchers:
            watcher.fired()
        told = [
            {**pod, "outcome": None if outcome is None else msgspec.to_builtins(outcome)}
            for pod, outcome in zip(self.pods, outcomes, strict=True)
        ]
        yield TriggerEvent({"path": self.path, "pods": told})  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Delete the pods when the task is ended by a user (Airflow 3.3 and later)."""
        for watcher in self._watchers:
            await watcher.on_kill()

    async def cleanup(self) -> None:
        """Delete the pods when the task is ended by a user (before Airflow 3.3)."""
        for watcher in self._watchers:
            watcher.task_instance = self.task_instance
            await watcher.cleanup()

    async def _await_end(self) -> list[PodOutcome | None]:
        waiting = [asyncio.ensure_future(watcher.await_end()) for watcher in self._watchers]
        try:
            pending = set(waiting)
            while pending:
                ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if not all(each.result().succeeded for each in ended):
                    break
            return [each.result() if each.done() else None for each in waiting]
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
