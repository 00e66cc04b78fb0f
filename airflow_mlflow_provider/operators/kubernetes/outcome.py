"""How a pod ended, read from what Kubernetes says of it. Pure; works on the pods of both Kubernetes clients."""

from __future__ import annotations

import datetime
import signal
from collections.abc import Iterable
from typing import Any

import msgspec

from airflow_mlflow_provider.operators.kubernetes.spec import CONTAINER

# Kubernetes deletes a pod whose node is silent, and nobody is there to confirm it. Past its deletion time by so
# many seconds, a pod that never ended is lost.
LOST_AFTER_S = 60.0
# A missing secret or config map may be about to be made; after so many seconds it is missing.
CONFIGURATION_GRACE_S = 20.0
# Between the end of a container and the end of its pod, which may have a sidecar that never ends.
SETTLING_S = 3.0

# Exit codes above are 128 and the number of a signal.
_SIGNALLED = 128

_FATAL_WAITING = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_IMAGE_WAITING = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_CONFIGURATION_WAITING = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
# Of an image that cannot be pulled, what may pass by itself.
_PASSING = (
    "account limit",
    "bad gateway",
    "connection refused",
    "connection reset",
    "gateway timeout",
    "internal server error",
    "no such host",
    "pull qps exceeded",
    "quota exceeded",
    "rate limit",
    "service unavailable",
    "temporarily unavailable",
    "timeout",
    "toomanyrequests",
    "too many requests",
    "unexpected eof",
)
_DISRUPTIONS = {
    "DeletionByPodGC": "Lost",
    "DeletionByTaintManager": "Evicted",
    "EvictionByEvictionAPI": "Evicted",
    "PreemptionByKubeScheduler": "Preempted",
    "PreemptionByScheduler": "Preempted",
    "TerminationByKubelet": "Evicted",
}


class PodOutcome(msgspec.Struct, frozen=True):
    """How a pod ended. It says nothing of the step: the verdict on a step is its record.

    Attributes:
        phase: ``Succeeded``, ``Failed``, or the last phase that was seen of a pod that did not end by itself.
        reason: ``Completed``, ``Error``, ``OOMKilled``, ``Evicted``, ``Preempted``, ``DeadlineExceeded``, ``Lost``,
            ``ImagePullBackOff``, ``StartTimeout``, ``Unreachable``, ``Killed``, or another of Kubernetes' own reasons.
        exit_code: Of the step's container; ``None`` if it never ran or its end was not seen.
        signal: Number of the signal that ended it, if one did.
        message: What Kubernetes says about it, for people.
        pod_name: Name of the pod.
        node: Name of the node it ran on; ``""`` if it was never placed.
    """

    phase: str
    reason: str
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""
    pod_name: str = ""
    node: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the container ended with exit code 0."""
        return self.exit_code == 0

    @property
    def summary(self) -> str:
        """One line for people: reason, exit code or signal, node, message."""
        parts = [self.reason]
        if self.signal is not None:
            parts.append(f"killed by {_signal_name(self.signal)}")
        elif self.exit_code:
            parts.append(f"exit code {self.exit_code}")
        where = f" on node {self.node}" if self.node else ""
        told = f": {' '.join(self.message.split())}" if self.message else ""
        return f"{', '.join(parts)} (pod {self.pod_name}{where}){told}"


def now() -> datetime.datetime:
    """The moment, as Kubernetes' times are compared with it."""
    return datetime.datetime.now(tz=datetime.timezone.utc)


def final_outcome(pod: Any, now: datetime.datetime) -> PodOutcome | None:
    """How a pod ended; ``None`` while it has not.

    Args:
        pod: A ``V1Pod``.
        now: An aware moment.
    """
    status = pod.status
    own = container_state(pod)
    terminated = own.terminated if own else None
    if terminated is not None:
        return _ended(pod, terminated) if _is_all(status, terminated, now) else None
    if status.phase in ("Succeeded", "Failed"):
        return _ended(pod, None)
    due = pod.metadata.deletion_timestamp
    if due is not None and (now - due).total_seconds() > LOST_AFTER_S:
        return _outcome(pod, "Lost", message="The pod was to be deleted, and its node does not answer.")
    if status.reason == "NodeLost":
        return _outcome(pod, "Lost", message=status.message or "The node of the pod does not answer.")
    return None


def start_problem(pod: Any, waited_s: float, timeout_s: float) -> PodOutcome | None:
    """Why a pod that has not started will not, or took too long; ``None`` while there is hope.

    Args:
        pod: A ``V1Pod`` that has not ended.
        waited_s: Seconds since it was asked for.
        timeout_s: Seconds that it may take to start.
    """
    if started(pod):
        return None
    for reason, message in _waiting(pod):
        broken = (
            reason in _FATAL_WAITING
            or (reason in _IMAGE_WAITING and not any(each in message.lower() for each in _PASSING))
            or (reason in _CONFIGURATION_WAITING and waited_s >= CONFIGURATION_GRACE_S)
        )
        if broken:
            return _outcome(pod, reason, message=message)
    if waited_s < timeout_s:
        return None
    return _outcome(
        pod, "StartTimeout", message=f"Not started within {timeout_s:g} s. {hindrance(pod)}".strip()
    )


def started(pod: Any) -> bool:
    """Whether the step's container runs or has run."""
    own = container_state(pod)
    return own is not None and (own.running is not None or own.terminated is not None)


def hindrance(pod: Any) -> str:
    """Why a pod has no node yet, or what its containers wait for; ``""`` if nothing is known."""
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status != "True":
            return f"{condition.reason or 'Unschedulable'}: {condition.message or ''}"
    return "; ".join(f"{reason}: {message}" if message else reason for reason, message in _waiting(pod))


def container_state(pod: Any) -> Any:
    """The ``V1ContainerState`` of the step's container, or ``None``."""
    for container in pod.status.container_statuses or ():
        if container.name == CONTAINER:
            return container.state
    return None


def vanished(pod_name: str, node: str = "") -> PodOutcome:
    """The outcome of a pod that the API server no longer knows."""
    return PodOutcome(
        phase="Unknown",
        reason="Lost",
        message="The pod does not exist any more: it was deleted, or its node was lost.",
        pod_name=pod_name,
        node=node,
    )


def given_up(pod_name: str, phase: str, reason: str, message: str, node: str = "") -> PodOutcome:
    """The outcome of a pod that is no longer waited for, whatever it does."""
    return PodOutcome(phase=phase, reason=reason, message=message, pod_name=pod_name, node=node)


def _is_all(status: Any, terminated: Any, now: datetime.datetime) -> bool:
    """Whether there is nothing more to learn: why a pod was ended from outside is said a moment after it has."""
    if terminated.exit_code == 0 or terminated.reason == "OOMKilled" or status.reason:
        return True
    if terminated.finished_at is None or (status.phase == "Failed" and terminated.exit_code <= _SIGNALLED):
        return True
    # A node's clock may be off by anything; then there is no telling, and no waiting.
    return bool(abs((now - terminated.finished_at).total_seconds()) > SETTLING_S)


def _ended(pod: Any, terminated: Any) -> PodOutcome:
    status = pod.status
    code = terminated.exit_code if terminated else None
    if code == 0 or (terminated is None and status.phase == "Succeeded"):
        return _outcome(pod, "Completed", terminated)
    if terminated is not None and terminated.reason == "OOMKilled":
        return _outcome(
            pod,
            "OOMKilled",
            terminated,
            terminated.message or "The container used more memory than its limit.",
        )
    if status.reason:
        return _outcome(pod, status.reason, terminated, status.message or "")
    disruption = next(
        (
            each
            for each in status.conditions or ()
            if each.type == "DisruptionTarget" and each.status == "True"
        ),
        None,
    )
    if disruption is not None:
        return _outcome(
            pod, _DISRUPTIONS.get(disruption.reason, disruption.reason), terminated, disruption.message or ""
        )
    if terminated is not None:
        return _outcome(pod, terminated.reason or "Error", terminated, terminated.message or "")
    return _init_failure(pod) or _outcome(pod, "Failed", message=status.message or "")


def _init_failure(pod: Any) -> PodOutcome | None:
    for container in pod.status.init_container_statuses or ():
        terminated = container.state.terminated if container.state else None
        if terminated is not None and terminated.exit_code != 0:
            reason = terminated.reason if terminated.reason not in (None, "Error") else "InitContainerFailed"
            told = f"Init container {container.name} ended with exit code {terminated.exit_code}. {terminated.message or ''}"
            return _outcome(pod, reason, message=told.strip())
    return None


def _outcome(pod: Any, reason: str, terminated: Any = None, message: str = "") -> PodOutcome:
    code = terminated.exit_code if terminated is not None else None
    killed_by = (terminated.signal or None) if terminated is not None else None
    if killed_by is None and code is not None and _SIGNALLED < code < _SIGNALLED + signal.NSIG:
        killed_by = code - _SIGNALLED
    return PodOutcome(
        phase=pod.status.phase or "Unknown",
        reason=reason,
        exit_code=code,
        signal=killed_by,
        message=message,
        pod_name=pod.metadata.name,
        node=pod.spec.node_name or "",
    )


def _waiting(pod: Any) -> Iterable[tuple[str, str]]:
    for container in (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())):
        waiting = container.state.waiting if container.state else None
        if waiting is not None and waiting.reason:
            yield waiting.reason, waiting.message or ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
