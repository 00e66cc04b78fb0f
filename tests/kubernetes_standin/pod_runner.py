"""One pod from scheduling to its end: volumes, init containers, containers, deadline, termination."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.kubernetes_standin.container_process import Exit
from tests.kubernetes_standin.container_runner import ContainerRunner
from tests.kubernetes_standin.pod_status import ContainerRecord, conditions, phase
from tests.kubernetes_standin.resources import PODS
from tests.kubernetes_standin.status import Json
from tests.kubernetes_standin.store import now
from tests.kubernetes_standin.volumes import MountFailed

if TYPE_CHECKING:
    from tests.kubernetes_standin.kubelet import Kubelet


@dataclass(frozen=True)
class Verdict:
    """A pod-level reason and message that override what the containers say."""

    reason: str
    message: str


DEADLINE = Verdict("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


class PodRunner:
    """Runs one pod. ``run`` is its life; ``stop`` asks for its end."""

    def __init__(self, kubelet: Kubelet, pod: Json, address: str) -> None:
        self.kubelet = kubelet
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        self.uid: str = pod["metadata"]["uid"]
        self.address = address
        self.spec: Json = pod["spec"]
        self.hostname: str = self.spec.get("hostname") or self.name[:63].rstrip("-.")
        self.directory: Path = kubelet.pods_directory / self.uid
        self.volumes = kubelet.volumes(self.namespace, self.directory / "volumes")
        inits = [
            ContainerRecord(container, True, self.uid) for container in self.spec.get("initContainers") or []
        ]
        mains = [ContainerRecord(container, False, self.uid) for container in self.spec["containers"]]
        self.containers = [ContainerRunner(self, record) for record in [*inits, *mains]]
        self.stopping = asyncio.Event()
        self._verdict: Verdict | None = None
        self._interrupted = False
        self._kill_at = 0.0
        self._kill_sooner = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sandbox_ready = False

    @property
    def records(self) -> list[ContainerRecord]:
        """Init containers first."""
        return [container.record for container in self.containers]

    def stored(self) -> Json | None:
        """The pod as the store has it; None when it has vanished or its name belongs to a newer pod."""
        found = self.kubelet.store.find(PODS, self.namespace, self.name)
        return found if found is not None and found["metadata"]["uid"] == self.uid else None

    def container(self, name: str) -> ContainerRunner | None:
        """A container by name."""
        return next((container for container in self.containers if container.record.name == name), None)

    async def run(self) -> None:
        """The whole life of the pod."""
        if not await self.pause(self.kubelet.chaos.delay_seconds) and await self.kubelet.scheduler.place(
            self
        ):
            self._begin()
            if await self._volumes_ready() and await self._run_inits():
                mains = [container for container in self.containers if not container.record.is_init]
                await asyncio.gather(*(container.run() for container in mains))
        await self.conclude()

    def _begin(self) -> None:
        has_inits = any(record.is_init for record in self.records)
        for record in self.records:
            record.wait("PodInitializing" if has_inits and not record.is_init else "ContainerCreating")
        self.publish()
        if self.spec.get("activeDeadlineSeconds") is not None:
            self.spawn(self._enforce_deadline(self.spec["activeDeadlineSeconds"]))

    async def _enforce_deadline(self, seconds: float) -> None:
        if not await self.pause(seconds):
            self.event("Normal", DEADLINE.reason, DEADLINE.message)
            self.stop(self.spec["terminationGracePeriodSeconds"], DEADLINE)

    async def _volumes_ready(self) -> bool:
        while not self.stopping.is_set():
            pod = self.stored()
            if pod is None:
                return False
            try:
                self.volumes.prepare(pod)
            except MountFailed as error:
                self.event("Warning", "FailedMount", str(error))
                await self.pause(self.kubelet.settings.retry_seconds)
            else:
                self._sandbox_ready = True
                return True
        return False

    async def _run_inits(self) -> bool:
        """Init containers in order; whether the others may start."""
        for container in self.containers:
            if container.record.is_sidecar:
                self.spawn(container.run())
                await self._first_of(container.started, self.stopping)
            elif container.record.is_init:
                await container.run()
                if container.record.exit_code != 0:
                    return False
            if self.stopping.is_set():
                return False
        return True

    async def conclude(self) -> None:
        """End what outlives the containers (sidecars, the deadline), and write the pod's last status."""
        if not self.stopping.is_set():
            self._begin_stop(self.spec["terminationGracePeriodSeconds"])
        while self._tasks:
            done, self._tasks = self._tasks, set()
            await asyncio.gather(*done)
        self._finish()

    def stop(self, grace: float, verdict: Verdict | None = None) -> None:
        """End the pod: SIGTERM now, SIGKILL after ``grace`` seconds. A later call may only shorten the grace."""
        self._interrupted = True
        self._verdict = self._verdict or verdict
        self._begin_stop(grace)

    def _begin_stop(self, grace: float) -> None:
        end = asyncio.get_running_loop().time() + grace
        if self.stopping.is_set():
            self._kill_at = min(end, self._kill_at)
            self._kill_sooner.set()
            return
        self._kill_at = end
        self.stopping.set()
        for container in self.containers:
            if container.process is not None:
                self.spawn(container.terminate())

    async def grace_or(self, ended: asyncio.Event) -> None:
        """Return when ``ended`` is set or the pod's grace is over."""
        while not ended.is_set():
            left = self._kill_at - asyncio.get_running_loop().time()
            if left <= 0:
                return
            self._kill_sooner.clear()
            await self._first_of(ended, self._kill_sooner, seconds=left)

    async def _first_of(self, *events: asyncio.Event, seconds: float | None = None) -> None:
        waiters = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()

    def kill(self, number: int, container: str | None = None, *, out_of_memory: bool = False) -> list[str]:
        """Signal the first process of a container (of all when None) behind the pod's back; names of those signalled."""
        signalled = []
        for runner in self.containers:
            if container in (None, runner.record.name) and runner.process is not None:
                runner.record.oom_killed = out_of_memory
                runner.process.send_signal(number)
                signalled.append(runner.record.name)
        return signalled

    def publish(self) -> None:
        """Write the pod's status to the store."""
        if self.stored() is not None:
            self.kubelet.store.update(PODS, self.namespace, self.name, self._write_status)

    def _write_status(self, pod: Json) -> None:
        status, host = pod["status"], self.kubelet.settings.address
        status["phase"] = phase(self.records, self.spec["restartPolicy"])
        status.update(hostIP=host, hostIPs=[{"ip": host}], podIP=self.address, podIPs=[{"ip": self.address}])
        status["startTime"] = status.get("startTime") or now()
        for kind, is_init in (("initContainerStatuses", True), ("containerStatuses", False)):
            entries = [record.status() for record in self.records if record.is_init == is_init]
            if entries:
                status[kind] = entries
        before = status.get("conditions") or []
        status["conditions"] = conditions(before, self.records, status["phase"], self._sandbox_ready)

    def _finish(self) -> None:
        pod = self.stored()
        if pod is None:
            return
        self.kubelet.store.update(PODS, self.namespace, self.name, self._write_end)
        if pod["metadata"].get("deletionTimestamp") and not pod["metadata"].get("finalizers"):
            self.kubelet.store.remove(PODS, self.namespace, self.name)

    def _write_end(self, pod: Json) -> None:
        if "startTime" in pod["status"]:
            for record in self.records:
                if self._interrupted and "terminated" not in record.state:
                    message = "The container could not be located when the pod was terminated"
                    record.end(Exit(128 + signal.SIGKILL, signal.SIGKILL), "ContainerStatusUnknown", message)
            self._write_status(pod)
        status = pod["status"]
        if self._interrupted and status["phase"] not in ("Succeeded", "Failed"):
            status["phase"] = "Failed"
        if self._verdict is not None:
            status.update(phase="Failed", reason=self._verdict.reason, message=self._verdict.message)

    def event(self, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """Tell the event log about the pod or the part of it that ``field_path`` names."""
        pod = self.stored()
        if pod is not None:
            self.kubelet.events.record(pod, kind, reason, message, field_path)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the pod; it is waited for before the pod ends."""
        self._tasks.add(asyncio.create_task(work))

    async def pause(self, seconds: float) -> bool:
        """Wait, unless the pod is stopped meanwhile; whether it was."""
        if seconds > 0 and not self.stopping.is_set():
            await self._first_of(self.stopping, seconds=seconds)
        return self.stopping.is_set()
