"""The Job controller: makes pods until enough have succeeded, or too many failed."""

from __future__ import annotations

import asyncio
import copy
import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.kubernetes_standin.events import EventRecorder
from tests.kubernetes_standin.registry import Registry, owned_by
from tests.kubernetes_standin.resources import JOBS, PODS
from tests.kubernetes_standin.status import ApiError, Json
from tests.kubernetes_standin.store import Change, ObjectStore, now

INDEX = "batch.kubernetes.io/job-completion-index"
RETRY_SECONDS = 0.5
TERMINAL = ("Succeeded", "Failed")


@dataclass
class Tally:
    """The pods of one Job that have ended, by uid; they stay counted after their deletion."""

    succeeded: dict[str, int | None] = field(default_factory=dict)
    failed: dict[str, int | None] = field(default_factory=dict)

    def count(self, pod: Json, phase: str) -> None:
        """Count a pod that has ended."""
        ended = self.succeeded if phase == "Succeeded" else self.failed
        ended.setdefault(pod["metadata"]["uid"], completion_index(pod))

    @property
    def done_indexes(self) -> set[int]:
        """Completion indexes that have succeeded."""
        return {index for index in self.succeeded.values() if index is not None}


class JobController:
    """Reacts to changes of Jobs and of their pods; one pass per Job and turn of the event loop."""

    def __init__(self, store: ObjectStore, registry: Registry, events: EventRecorder) -> None:
        self.store = store
        self.registry = registry
        self.events = events
        self._tallies: dict[str, Tally] = {}
        self._due: set[tuple[str, str]] = set()
        store.on_change(self._notice)

    def _notice(self, change: Change) -> None:
        latest = change.after or change.before
        if latest is None:
            return
        metadata = latest["metadata"]
        if change.resource is JOBS:
            if change.after is None:
                self._tallies.pop(metadata["uid"], None)
            else:
                self._wake(metadata["namespace"], metadata["name"])
        elif change.resource is PODS:
            for owner in metadata.get("ownerReferences") or []:
                if owner["kind"] == "Job":
                    self._count(owner["uid"], latest, gone=change.after is None)
                    self._wake(metadata["namespace"], owner["name"])

    def _count(self, job_uid: str, pod: Json, *, gone: bool) -> None:
        phase = pod["status"]["phase"]
        if gone and phase not in TERMINAL:
            phase = "Failed"
        if phase in TERMINAL:
            self._tallies.setdefault(job_uid, Tally()).count(pod, phase)

    def _wake(self, namespace: str, name: str, after: float = 0.0) -> None:
        if (namespace, name) not in self._due:
            self._due.add((namespace, name))
            asyncio.get_running_loop().call_later(after, self._reconcile, namespace, name)

    def _reconcile(self, namespace: str, name: str) -> None:
        self._due.discard((namespace, name))
        job = self.store.find(JOBS, namespace, name)
        if job is None:
            return
        if _finished(job):
            self._expire(job)
            return
        tally = self._tallies.setdefault(job["metadata"]["uid"], Tally())
        pods = self.store.select(PODS, namespace, owned_by(job))
        active = [
            pod for pod in pods
            if pod["status"]["phase"] not in TERMINAL and not pod["metadata"].get("deletionTimestamp")
        ]  # fmt: skip
        failure = self._failure(job, tally)
        if failure is not None or job["spec"]["suspend"]:
            self._end_pods(active)
            active = []
        elif not _complete(job, tally, active):
            self._make_pods(job, tally, active)
        self._write(job, tally, active, failure)

    def _failure(self, job: Json, tally: Tally) -> tuple[str, str] | None:
        spec, started = job["spec"], job["status"].get("startTime")
        if len(tally.failed) > spec["backoffLimit"]:
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and started:
            left = deadline - _age(started)
            if left <= 0:
                return "DeadlineExceeded", "Job was active longer than specified deadline"
            asyncio.get_running_loop().call_later(
                left + 0.01, self._wake, job["metadata"]["namespace"], job["metadata"]["name"]
            )
        return None

    def _end_pods(self, pods: Iterable[Json]) -> None:
        for pod in pods:
            self.registry.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], {})

    def _make_pods(self, job: Json, tally: Tally, active: list[Json]) -> None:
        spec = job["spec"]
        if spec["completionMode"] == "Indexed":
            taken = tally.done_indexes | {completion_index(pod) for pod in active}
            free = [index for index in range(spec["completions"]) if index not in taken]
            wanted: list[int | None] = list(free[: max(spec["parallelism"] - len(active), 0)])
        else:
            left = (
                spec["parallelism"]
                if spec.get("completions") is None
                else spec["completions"] - len(tally.succeeded)
            )
            if spec.get("completions") is None and tally.succeeded:
                left = 0
            wanted = [None] * max(min(spec["parallelism"], left) - len(active), 0)
        for index in wanted:
            try:
                self.registry.create(PODS, job["metadata"]["namespace"], _pod_of(job, index))
            except ApiError as error:
                self.events.record(job, "Warning", "FailedCreate", f"Error creating: {error.message}")
                self._wake(job["metadata"]["namespace"], job["metadata"]["name"], RETRY_SECONDS)
                return

    def _write(
        self, job: Json, tally: Tally, active: list[Json], failure: tuple[str, str] | None = None
    ) -> None:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        live = self.store.select(PODS, namespace, owned_by(job))
        running = [pod for pod in live if pod["status"]["phase"] not in TERMINAL]
        complete = failure is None and not job["spec"]["suspend"] and _complete(job, tally, active)

        def write(stored: Json) -> None:
            status = stored["status"]
            status.setdefault("startTime", now())
            counts = {"active": len(running), "succeeded": len(tally.succeeded), "failed": len(tally.failed)}
            status.update({key: value for key, value in counts.items() if value or key in status})
            status["ready"] = sum(1 for pod in running if _ready(pod))
            if job["spec"]["completionMode"] == "Indexed":
                status["completedIndexes"] = _ranges(tally.done_indexes)
            if complete:
                _conclude(
                    status,
                    ("SuccessCriteriaMet", "Complete"),
                    "CompletionsReached",
                    "Reached expected number of succeeded pods",
                )
                status["completionTime"] = now()
            elif failure is not None:
                _conclude(status, ("FailureTarget", "Failed"), *failure)
            elif job["spec"]["suspend"]:
                status["conditions"] = [_condition("Suspended", "JobSuspended", "Job suspended")]
            else:
                status.pop("conditions", None)

        self.store.update(JOBS, namespace, name, write)

    def _expire(self, job: Json) -> None:
        """Delete a finished Job when its time to live is over."""
        metadata, seconds = job["metadata"], job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return
        finished = job["status"]["conditions"][-1]["lastTransitionTime"]
        left = seconds - _age(finished)
        if left <= 0:
            options = {"propagationPolicy": "Background"}
            self.registry.delete(JOBS, metadata["namespace"], metadata["name"], options)
        else:
            self._wake(metadata["namespace"], metadata["name"], left + 0.01)


def completion_index(pod: Json) -> int | None:
    """The completion index of an Indexed Job's pod."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX)
    return None if text is None else int(text)


def _finished(job: Json) -> bool:
    conditions = job["status"].get("conditions") or []
    return any(condition["type"] in ("Complete", "Failed") for condition in conditions)


def _complete(job: Json, tally: Tally, active: list[Json]) -> bool:
    spec = job["spec"]
    if spec.get("completions") is None:
        return bool(tally.succeeded) and not active
    done = tally.done_indexes if spec["completionMode"] == "Indexed" else tally.succeeded
    return len(done) >= int(spec["completions"])


def _pod_of(job: Json, index: int | None) -> Json:
    """The pod the template gives, with the labels, owner and index of the Job."""
    metadata, template = job["metadata"], copy.deepcopy(job["spec"]["template"])
    name, uid = metadata["name"], metadata["uid"]
    own = template.get("metadata") or {}
    labels, annotations = dict(own.get("labels") or {}), dict(own.get("annotations") or {})
    spec, prefix = template["spec"], f"{name}-"
    if index is not None:
        prefix = f"{name}-{index}-"
        labels[INDEX] = annotations[INDEX] = str(index)
        spec.setdefault("hostname", f"{name}-{index}")
        reference = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
        for kind in ("initContainers", "containers"):
            for container in spec.get(kind) or []:
                container["env"] = [
                    *(container.get("env") or []),
                    {"name": "JOB_COMPLETION_INDEX", "valueFrom": reference},
                ]
    owner = {
        "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid,
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "metadata": {
            "generateName": prefix,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def _condition(kind: str, reason: str, message: str) -> Json:
    moment = now()
    return {
        "type": kind, "status": "True", "reason": reason, "message": message,
        "lastProbeTime": moment, "lastTransitionTime": moment,
    }  # fmt: skip


def _conclude(status: Json, kinds: tuple[str, str], reason: str, message: str) -> None:
    status["conditions"] = [_condition(kind, reason, message) for kind in kinds]


def _ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _ranges(indexes: set[int]) -> str:
    """``{0, 1, 2, 5}`` as ``0-2,5``."""
    parts: list[list[int]] = []
    for index in sorted(indexes):
        if parts and parts[-1][-1] == index - 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def _age(moment: str) -> float:
    then = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()
