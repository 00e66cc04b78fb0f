"""One container of a pod: its image, its configuration, its attempts and its termination."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kubernetes_standin.container_log import ContainerLog
from tests.kubernetes_standin.container_process import (
    ContainerProcess,
    Exit,
    Launch,
    Mount,
    StartFailed,
    start_logged,
)
from tests.kubernetes_standin.environment import ConfigurationError, container_environment, expand
from tests.kubernetes_standin.pod_status import ContainerRecord
from tests.kubernetes_standin.settings import pull_failure
from tests.kubernetes_standin.status import Json
from tests.kubernetes_standin.volumes import MountFailed

if TYPE_CHECKING:
    from tests.kubernetes_standin.pod_runner import PodRunner

TERMINATION_MESSAGE_BYTES = 4096
LOG_MESSAGE_BYTES, LOG_MESSAGE_LINES = 2048, 80
START_ERROR_CODE = 128
MAX_BACKOFF_SECONDS = 300.0


class ContainerRunner:
    """Runs one container as often as its restart policy says; ``record`` is what is known of it."""

    def __init__(self, pod: PodRunner, record: ContainerRecord) -> None:
        self.pod = pod
        self.record = record
        self.process: ContainerProcess | None = None
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Until the container has ended for good, or the pod is stopped."""
        while not self.pod.stopping.is_set():
            if not await self._image_ready() or not await self._attempt():
                return
            if not self._restarts() or self.pod.stopping.is_set():
                return
            await self._back_off()

    async def _back_off(self) -> None:
        record = self.record
        record.last_state, record.restarts = record.state, record.restarts + 1
        backoff = self.pod.kubelet.settings.restart_backoff_seconds * 2 ** (record.restarts - 1)
        backoff = min(backoff, MAX_BACKOFF_SECONDS)
        record.wait("CrashLoopBackOff", f"back-off {backoff:g}s restarting failed container={record.name}")
        self.pod.publish()
        await self.pod.pause(backoff)

    def _restarts(self) -> bool:
        record, policy = self.record, self.pod.spec["restartPolicy"]
        if record.is_sidecar:
            return True
        if record.is_init and policy == "Always":
            policy = "OnFailure"
        return policy == "Always" or (policy == "OnFailure" and record.exit_code != 0)

    async def _image_ready(self) -> bool:
        """Whether the image is there; when it is not, waits for the pod to be stopped."""
        record, pod = self.record, self.pod
        image, policy = record.specification["image"], record.specification["imagePullPolicy"]
        failure = pull_failure(image, policy)
        if failure is None:
            self._event("Normal", "Pulled", f'Container image "{image}" already present on machine')
            return True
        self._event("Warning", "Failed", f'Failed to pull image "{image}": {failure.message}')
        record.wait(failure.reason, failure.message)
        pod.publish()
        if failure.backoff_reason != failure.reason and not await pod.pause(
            pod.kubelet.settings.retry_seconds
        ):
            self._event("Normal", "BackOff", f'Back-off pulling image "{image}"')
            message = f'Back-off pulling image "{image}": {failure.reason}: {failure.message}'
            record.wait(failure.backoff_reason, message)
            pod.publish()
        await pod.stopping.wait()
        return False

    async def _attempt(self) -> bool:
        """One start of the container and its end; False when the pod was stopped before it could be configured."""
        record, pod = self.record, self.pod
        try:
            launch = await self._configured()
        except StartFailed as error:
            self._could_not_start(str(error))
            return True
        if launch is None:
            return False
        record.attempts += 1
        record.oom_killed = False
        log = ContainerLog(pod.directory / "logs" / f"{record.name}-{record.restarts}.log")
        record.logs.append(log)
        try:
            process, logging = await start_logged(launch, pod.directory / f"{record.name}.json", log)
        except StartFailed as error:
            log.end()
            self._could_not_start(str(error))
            return True
        self._has_started(process)
        ended = await process.wait()
        await logging
        self.process = None
        self._record_end(ended, log)
        return True

    def _has_started(self, process: ContainerProcess) -> None:
        self.process = process
        self.record.run()
        self.started.set()
        self._event("Normal", "Started", f"Started container {self.record.name}")
        self.pod.publish()
        if self.pod.stopping.is_set():
            self.pod.spawn(self.terminate())

    def _could_not_start(self, why: str) -> None:
        message = (
            f"failed to create containerd task: failed to create shim task: OCI runtime create failed: {why}"
        )
        self.record.end(Exit(START_ERROR_CODE, 0), "StartError", message)
        self._event("Warning", "Failed", f"Error: {message}")
        self.pod.publish()

    def _record_end(self, ended: Exit, log: ContainerLog) -> None:
        record = self.record
        reason = "OOMKilled" if record.oom_killed else "Completed" if ended.code == 0 else "Error"
        file = self._message_file()
        message = ""
        if file.exists():
            message = file.read_bytes()[:TERMINATION_MESSAGE_BYTES].decode(errors="replace")
        policy = record.specification["terminationMessagePolicy"]
        if not message and ended.code != 0 and policy == "FallbackToLogsOnError":
            message = log.text(LOG_MESSAGE_BYTES, LOG_MESSAGE_LINES)
        record.end(ended, reason, message)
        self.pod.publish()

    def _message_file(self) -> Path:
        return self.pod.directory / f"{self.record.name}-{self.record.restarts}.termination-log"

    async def _configured(self) -> Launch | None:
        """What to launch; waits with CreateContainerConfigError until it is complete, None when stopped."""
        while not self.pod.stopping.is_set():
            pod = self.pod.stored()
            if pod is None:
                return None
            try:
                return self._launch(pod)
            except ConfigurationError as error:
                self._not_configured("CreateContainerConfigError", str(error))
            except MountFailed as error:
                self._not_configured("CreateContainerError", str(error))
            await self.pod.pause(self.pod.kubelet.settings.retry_seconds)
        return None

    def _not_configured(self, reason: str, message: str) -> None:
        if self.record.state.get("waiting", {}).get("message") != message:
            self.record.wait(reason, message)
            self._event("Warning", "Failed", f"Error: {message}")
            self.pod.publish()

    def _launch(self, pod: Json) -> Launch:
        container, kubelet = self.record.specification, self.pod.kubelet
        image = kubelet.settings.image(container["image"])
        security = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
        user = security.get("runAsUser", image.user)
        if security.get("runAsNonRoot") and not user:
            raise ConfigurationError("container has runAsNonRoot and image will run as root")
        finder = kubelet.finder(self.pod.namespace)
        own = container_environment(container, pod, kubelet.settings.node_capacity, finder)
        command = container.get("command") or list(image.entrypoint)
        argv = [expand(word, own) for word in [*command, *(container.get("args") or [])]]
        if not argv:
            raise MountFailed("failed to generate container spec: no command specified")
        hostname = self.pod.hostname
        base = {"PATH": image.path, "HOME": "/" if user else "/root", "HOSTNAME": hostname}
        self.record.environment = {**base, **image.environment, **kubelet.service_environment(), **own}
        scratch = self.pod.directory / f"{self.record.name}-root"
        scratch.mkdir(parents=True, exist_ok=True)
        return Launch(
            argv=argv,
            env=self.record.environment,
            cwd=container.get("workingDir") or "/",
            isolation=kubelet.isolation,
            hostname=hostname,
            scratch=str(scratch),
            read_only_root=bool(security.get("readOnlyRootFilesystem")),
            expose=image.expose,
            files={"/etc/hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{self.pod.address}\t{hostname}\n"},
            mounts=self._mounts(own),
            user=user,
            group=security.get("runAsGroup", user or 0),
            groups=tuple(security.get("supplementalGroups") or ()),
        )

    def _mounts(self, variables: dict[str, str]) -> tuple[Mount, ...]:
        mounts = self.pod.volumes.mounts(self.record.specification, variables)
        if self.pod.kubelet.isolation == "none":
            if any(not mount.target.startswith("/var/run/secrets/") for mount in mounts):
                raise StartFailed(
                    "this machine permits no mount namespaces, so the stand-in cannot mount volumes"
                )
            return ()
        message = self._message_file()
        message.touch()
        message.chmod(0o666)
        return (*mounts, Mount(str(message), self.record.specification["terminationMessagePath"]))

    async def terminate(self) -> None:
        """SIGTERM now, SIGKILL when the pod's grace is over; returns when the process has ended."""
        process = self.process
        if process is None:
            return
        self._event("Normal", "Killing", f"Stopping container {self.record.name}")
        process.send_signal(signal.SIGTERM)
        await self.pod.grace_or(process.ended)
        if not process.ended.is_set():
            process.send_signal(signal.SIGKILL)
            await process.ended.wait()

    def _event(self, kind: str, reason: str, message: str) -> None:
        top = "initContainers" if self.record.is_init else "containers"
        self.pod.event(kind, reason, message, f"spec.{top}{{{self.record.name}}}")
