"""A pod that was asked for: waiting for its end, its log, its removal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.operators.kubernetes.api import PodApi
from airflow_mlflow_provider.operators.kubernetes.changes import PodChanges
from airflow_mlflow_provider.operators.kubernetes.logs import ContainerLog, Reading
from airflow_mlflow_provider.operators.kubernetes.outcome import (
    PodOutcome,
    final_outcome,
    given_up,
    hindrance,
    now,
    start_problem,
    started,
    vanished,
)
from airflow_mlflow_provider.operators.kubernetes.refusal import refusal

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

# The pause between two looks where nobody tells of changes; it grows with the age of the pod, so that short ones cost no time and long
# ones no requests. The longest one is also that between looks at a pod that does not change.
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_PAUSES_PER_AGE = 20
# A pod that takes longer to start than this says what it waits for.
_SILENT_S = 3.0
# When to follow a log again: the end of a log is followed by the end of its container within moments, or it was none.
_FOLLOW_AGAIN_S: dict[Reading, float] = {"ended": 3.0, "broken": 0.1, "absent": 1.0}


class RunningPod:
    """One pod, by name and uid.

    Args:
        api: Where it is.
        pod: The ``V1Pod`` as last seen.
        asked_at: When it was asked for, in Unix seconds.
        start_timeout_s: Seconds that it may take to start.
        log: Airflow's task log, for the lines of the pod's own log among others.
        stopped: Tells whether the task was killed.
        label: Stands before each line of its log, where there are several pods.
    """

    def __init__(
        self,
        api: PodApi,
        pod: Any,
        *,
        asked_at: float,
        start_timeout_s: float,
        log: Logger,
        stopped: Callable[[], bool],
        label: str = "",
    ) -> None:
        self._api = api
        self._pod = pod
        self.asked_at = asked_at
        self.start_timeout_s = start_timeout_s
        self._log = log
        self._stopped = stopped
        self._hindrance = ""
        self._changes = PodChanges(api)
        self._container_log = ContainerLog(api, self.name, lambda line: log.info("%s", f"{label}{line}"))

    @property
    def name(self) -> str:
        """Name of the pod."""
        return str(self._pod.metadata.name)

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self._api.namespace

    @property
    def uid(self) -> str:
        """What tells it from a later pod of the same name."""
        return str(self._pod.metadata.uid)

    def await_end(self, until: float | None = None, *, follow_log: bool = True) -> PodOutcome | None:
        """Look at the pod until it has ended or will not start.

        Args:
            until: Moment of the monotonic clock at which to stop looking.
            follow_log: Pass on its log meanwhile; nothing is looked at while that runs.

        Returns:
            How it ended; ``None`` if it lives at ``until``.
        """
        looked_again = time.monotonic()
        follow_at = looked_again
        while True:
            outcome = self.look()
            if outcome is not None:
                return outcome
            if until is not None and time.monotonic() >= until:
                return None
            if follow_log and started(self._pod) and time.monotonic() >= follow_at:
                self._changes.close()
                reading = self._container_log.follow()
                looked_again = time.monotonic()
                follow_at = looked_again + _FOLLOW_AGAIN_S[reading]
                continue
            now = time.monotonic()
            next_look = min(until or math.inf, follow_at if follow_at > now else math.inf)
            pause = max((now - looked_again) / _PAUSES_PER_AGE, _SHORTEST_PAUSE_S)
            longest = max(min(next_look - now, _LONGEST_PAUSE_S), _SHORTEST_PAUSE_S)
            self._changes.wait(self._pod, longest, pause)

    def await_start(self) -> PodOutcome | None:
        """Look at the pod until its container runs; how it ended, if it has not come so far."""
        while True:
            outcome = self.look()
            if outcome is not None or started(self._pod):
                return outcome
            self._changes.wait(self._pod, _LONGEST_PAUSE_S, _SHORTEST_PAUSE_S)

    def finish(self, outcome: PodOutcome, on_finish_action: str) -> PodOutcome:
        """Pass on the rest of the log and remove the pod; nothing that fails here changes the outcome.

        Args:
            outcome: How the pod ended.
            on_finish_action: ``delete_pod``, ``keep_pod`` or ``delete_succeeded_pod``. A pod that has not ended is
                deleted in any case: it must not run when nobody waits for it.

        Returns:
            The outcome, with what Kubernetes' events say of a pod that never started.
        """
        self._changes.close()
        if started(self._pod):
            self._container_log.rest()
        elif outcome.reason != "Killed":
            outcome = self._with_events(outcome)
        ended = final_outcome(self._pod, now()) is not None
        keep = on_finish_action == "keep_pod" or (
            on_finish_action == "delete_succeeded_pod" and not outcome.succeeded
        )
        if not (keep and ended):
            self._delete(self._api)
        if outcome.succeeded:
            self._log.info("Pod %s: %s", self.name, outcome.summary)
        else:
            self._log.error("The pod did not complete: %s", outcome.summary)
        return outcome

    def outcome(self) -> PodOutcome | None:
        """How the pod had ended when it was last seen; ``None`` if it had not."""
        return final_outcome(self._pod, now())

    def pass_on_log(self) -> None:
        """Pass on the lines of its log that are there and were not passed on yet."""
        if started(self._pod):
            self._container_log.rest()

    def kill(self) -> None:
        """Delete the pod from within a signal handler."""
        self._delete(self._api.interrupting())

    def delete_secret(self) -> None:
        """Delete the secret that was made for the pod; a failure is logged, as it goes with the pod in any case."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            self._api.delete_secret(self.name)
        except (ApiException, HTTPError) as error:
            self._log.warning("%s", refusal(error, f"delete the secret {self.name}", {}))

    def _delete(self, api: PodApi) -> None:
        """Delete the pod, unless another one has its name; a failure is logged."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            api.delete(self.name, self.uid)
        except (ApiException, HTTPError) as error:
            self._log.warning("%s", refusal(error, f"delete the pod {self.name}", {}))

    def look(self) -> PodOutcome | None:
        """Look at the pod: how it has ended, or why it will not start; ``None`` while it lives."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        node = self._pod.spec.node_name or ""
        if self._stopped():
            message = "The task was ended, and its pod with it."
            return given_up(self.name, self._pod.status.phase, "Killed", message, node)
        try:
            pod = self._api.read(self.name)
        except (ApiException, HTTPError) as error:
            message = str(refusal(error, "read the pod", {}))
            return given_up(self.name, self._pod.status.phase, "Unreachable", message, node)
        if pod is None or pod.metadata.uid != self.uid:
            return vanished(self.name, node)
        self._pod = pod
        waited = time.time() - self.asked_at
        if waited > _SILENT_S and not started(pod):
            self._tell(hindrance(pod))
        return final_outcome(pod, now()) or start_problem(pod, waited, self.start_timeout_s)

    def _tell(self, hindered: str) -> None:
        if hindered and hindered != self._hindrance:
            self._log.info("Pod %s has not started: %s", self.name, hindered)
            self._hindrance = hindered

    def _with_events(self, outcome: PodOutcome) -> PodOutcome:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            told = list(dict.fromkeys(self._api.warnings(self.name)))
        except (ApiException, HTTPError) as error:
            self._log.warning("%s", refusal(error, f"list the events of the pod {self.name}", {}))
            return outcome
        message = "; ".join(part for part in (outcome.message, *told[-3:]) if part)
        return msgspec.structs.replace(outcome, message=message)
