"""How container states add up to a pod's phase and conditions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from tests.kubernetes_standin.container_log import ContainerLog
from tests.kubernetes_standin.container_process import Exit
from tests.kubernetes_standin.status import Json
from tests.kubernetes_standin.store import now


@dataclass
class ContainerRecord:
    """What the kubelet knows of one container."""

    specification: Json
    is_init: bool
    pod_uid: str
    state: Json = field(default_factory=dict)
    last_state: Json = field(default_factory=dict)
    restarts: int = 0
    attempts: int = 0
    logs: list[ContainerLog] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    oom_killed: bool = False

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.specification["name"])

    @property
    def is_sidecar(self) -> bool:
        """An init container that keeps running beside the others."""
        return self.is_init and self.specification.get("restartPolicy") == "Always"

    @property
    def exit_code(self) -> int | None:
        """None until it has ended for good (or for this attempt)."""
        code = (self.state.get("terminated") or {}).get("exitCode")
        return None if code is None else int(code)

    def wait(self, reason: str, message: str = "") -> None:
        """Enter the state ``waiting``."""
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def run(self) -> None:
        """Enter the state ``running``."""
        self.state = {"running": {"startedAt": now()}}

    def end(self, ended: Exit, reason: str, message: str = "") -> None:
        """Enter the state ``terminated``."""
        started = (self.state.get("running") or {}).get("startedAt") or now()
        terminated: Json = {"exitCode": ended.code, "reason": reason}
        if message:
            terminated["message"] = message
        terminated.update(startedAt=started, finishedAt=now(), containerID=self.container_id)
        self.state = {"terminated": terminated}

    @property
    def container_id(self) -> str:
        """A runtime id, new with each attempt."""
        identity = f"{self.pod_uid}/{self.name}/{self.attempts}"
        return f"containerd://{hashlib.sha256(identity.encode()).hexdigest()}"

    def status(self) -> Json:
        """The entry of ``containerStatuses``."""
        running = "running" in self.state
        image = self.specification["image"]
        done = self.is_init and not self.is_sidecar and self.exit_code == 0
        status: dict[str, Any] = {
            "name": self.name,
            "image": image,
            "imageID": f"{image}@standin" if self.attempts else "",
            "ready": running or done,
            "started": running,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }
        if self.attempts:
            status["containerID"] = self.container_id
        return status


def phase(records: list[ContainerRecord], restart_policy: str) -> str:
    """The pod's phase, by the rules of the kubelet's ``getPhase``."""
    inits = [record for record in records if record.is_init and not record.is_sidecar]
    mains = [record for record in records if not record.is_init]
    if restart_policy == "Never" and any(record.exit_code not in (None, 0) for record in inits):
        return "Failed"
    if any(record.exit_code != 0 for record in inits):
        return "Pending"
    if any("waiting" in record.state and not record.last_state for record in mains):
        return "Pending"
    lively = [record for record in records if record.is_sidecar or not record.is_init]
    if any("running" in record.state for record in lively) or restart_policy == "Always":
        return "Running"
    if all(record.exit_code == 0 for record in mains):
        return "Succeeded"
    if restart_policy == "Never" and all(record.exit_code is not None for record in mains):
        return "Failed"
    return "Running"


def conditions(
    before: list[Json], records: list[ContainerRecord], pod_phase: str, sandbox: bool
) -> list[Json]:
    """The pod's conditions; an unchanged one keeps its transition time."""
    initialized = all(_init_done(record) for record in records if record.is_init)
    ready = all(record.status()["ready"] for record in records if not record.is_init)
    names = " ".join(record.name for record in records if not record.is_init)
    not_ready = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"}
    over = {"Succeeded": {"reason": "PodCompleted"}, "Failed": {"reason": "PodFailed"}}.get(pod_phase)
    finished = over is not None
    wanted: list[tuple[str, bool, Json]] = [
        ("PodReadyToStartContainers", sandbox and not finished, {}),
        ("Initialized", initialized, _initialized_extra(initialized, pod_phase)),
        ("Ready", ready and not finished, over or ({} if ready else not_ready)),
        ("ContainersReady", ready and not finished, over or ({} if ready else not_ready)),
        ("PodScheduled", True, {}),
    ]
    old = {condition["type"]: condition for condition in before}
    return [merged_condition(old, kind, value, extra) for kind, value, extra in wanted]


def merged_condition(old: dict[str, Json], kind: str, value: bool, extra: Json) -> Json:
    """A condition as it is now."""
    status = "True" if value else "False"
    earlier = old.get(kind)
    since = earlier["lastTransitionTime"] if earlier and earlier["status"] == status else now()
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since, **extra}


def _init_done(record: ContainerRecord) -> bool:
    return "running" in record.state if record.is_sidecar else record.exit_code == 0


def _initialized_extra(initialized: bool, pod_phase: str) -> Json:
    if not initialized:
        return {"reason": "ContainersNotInitialized"}
    return {"reason": "PodCompleted"} if pod_phase == "Succeeded" else {}
