"""Waits for the end of a pod in Airflow's triggerer, which waits for thousands at once.

It looks at the pod less often the older it is, over one connection, and outlives an API server that is away for minutes. It
sends how the pod ended, as seen while there was something to see: by the time a worker resumes the task, the pod may be gone.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.triggers.base import TriggerEvent

from airflow_mlflow_provider.operators.kubernetes.outcome import (
    PodOutcome,
    final_outcome,
    given_up,
    hindrance,
    start_problem,
    started,
    vanished,
)
from airflow_mlflow_provider.operators.kubernetes.spec import CONTAINER

_SHORTEST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_PAUSES_PER_AGE = 20
_PATIENCE_S = 600.0
_REQUEST_TIMEOUT_S = 30.0
_FORBIDDEN = 403


class PodTrigger(KubernetesPodTrigger):
    """Sends one event when the pod has ended, will not start, or cannot be seen any more.

    The event holds ``pod_name``, ``namespace``, ``uid``, ``asked_at`` and ``outcome``, a ``PodOutcome`` as a mapping.

    Args:
        pod_name: Name of the pod.
        namespace: Its namespace.
        uid: What tells it from a later pod of the same name.
        asked_at: When it was asked for, in Unix seconds.
        start_timeout_s: Seconds that it may take to start.
        kubernetes_conn_id: Id of the Kubernetes connection.
        in_cluster: Whether to use the credentials of the triggerer's own pod.
    """

    def __init__(
        self,
        *,
        pod_name: str,
        namespace: str,
        uid: str,
        asked_at: float,
        start_timeout_s: float,
        kubernetes_conn_id: str | None = None,
        in_cluster: bool | None = None,
    ) -> None:
        super().__init__(
            pod_name=pod_name,
            pod_namespace=namespace,
            trigger_start_time=datetime.datetime.fromtimestamp(asked_at, tz=datetime.timezone.utc),
            base_container_name=CONTAINER,
            kubernetes_conn_id=kubernetes_conn_id,
            in_cluster=in_cluster,
        )
        self.uid = uid
        self.asked_at = asked_at
        self.start_timeout_s = start_timeout_s
        self._last_seen = time.monotonic()
        self._hindrance = ""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and the arguments, for the triggerer that takes over."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "pod_name": self.pod_name,
                "namespace": self.pod_namespace,
                "uid": self.uid,
                "asked_at": self.asked_at,
                "start_timeout_s": self.start_timeout_s,
                "kubernetes_conn_id": self.kubernetes_conn_id,
                "in_cluster": self.in_cluster,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then send the event."""
        outcome = await self.await_end()
        self.fired()
        yield TriggerEvent(  # type: ignore[no-untyped-call]
            {
                "pod_name": self.pod_name,
                "namespace": self.pod_namespace,
                "uid": self.uid,
                "asked_at": self.asked_at,
                "outcome": msgspec.to_builtins(outcome),
            }
        )

    def fired(self) -> None:
        """From here on, ending the trigger does not end the pod: on_kill and cleanup of the base class ask for this."""
        self._fired_event = True

    async def await_end(self) -> PodOutcome:
        """Wait until the pod has ended, will not start, or cannot be seen any more."""
        while True:
            try:
                return await self._await_end_over_one_connection()
            except Exception as error:  # noqa: BLE001 - whatever the client, the network or the connection's form raises
                refused = getattr(error, "status", None) == _FORBIDDEN
                if refused or time.monotonic() - self._last_seen > _PATIENCE_S:
                    message = f"{type(error).__name__}: {error}"
                    return given_up(self.pod_name, "Unknown", "Unreachable", message)
                self.log.warning("The Kubernetes API failed, asking again: %s", error)
                await asyncio.sleep(_LONGEST_PAUSE_S)

    async def _await_end_over_one_connection(self) -> PodOutcome:
        from kubernetes_asyncio.client import CoreV1Api
        from kubernetes_asyncio.client.exceptions import ApiException

        async with self.hook.get_conn() as connection:
            api = CoreV1Api(connection)
            while True:
                try:
                    pod = await api.read_namespaced_pod(
                        self.pod_name, self.pod_namespace, _request_timeout=_REQUEST_TIMEOUT_S
                    )
                except ApiException as error:
                    if error.status == 404:
                        return vanished(self.pod_name)
                    raise
                self._last_seen = time.monotonic()
                if pod.metadata.uid != self.uid:
                    return vanished(self.pod_name)
                age = time.time() - self.asked_at
                self._tell("" if started(pod) else hindrance(pod))
                now = datetime.datetime.now(tz=datetime.timezone.utc)
                outcome = final_outcome(pod, now) or start_problem(pod, age, self.start_timeout_s)
                if outcome is not None:
                    return outcome
                await asyncio.sleep(min(max(age / _PAUSES_PER_AGE, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S))

    def _tell(self, hindered: str) -> None:
        if hindered and hindered != self._hindrance:
            self.log.info("Pod %s has not started: %s", self.pod_name, hindered)
            self._hindrance = hindered
