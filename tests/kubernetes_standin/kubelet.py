"""Runs the pods of the store: one ``PodRunner`` each, all in this process."""

from __future__ import annotations

import asyncio
import itertools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.kubernetes_standin.chaos import Chaos
from tests.kubernetes_standin.events import EventRecorder
from tests.kubernetes_standin.pod_runner import PodRunner, Verdict
from tests.kubernetes_standin.resources import CONFIG_MAPS, PODS, SECRETS
from tests.kubernetes_standin.scheduler import NODE_NAME, Scheduler
from tests.kubernetes_standin.settings import Settings
from tests.kubernetes_standin.status import Json
from tests.kubernetes_standin.store import Change, ObjectStore
from tests.kubernetes_standin.volumes import PodVolumes


class Kubelet:
    """The node: notices pods, runs them, ends them."""

    def __init__(
        self,
        store: ObjectStore,
        settings: Settings,
        chaos: Chaos,
        isolation: str,
        issue_token: Callable[[str, str], str],
        can_mount: bool,
    ) -> None:
        self.store = store
        self.settings = settings
        self.chaos = chaos
        self.isolation = isolation
        self.issue_token = issue_token
        self.can_mount = can_mount
        self.events = EventRecorder(store)
        self.scheduler = Scheduler(self)
        self.pods_directory: Path = settings.state_directory / "pods"
        self.node_labels = {
            "kubernetes.io/hostname": NODE_NAME,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            **settings.node_labels,
        }
        self.internal_errors: list[str] = []
        self._runners: dict[str, PodRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._addresses = itertools.count(2)
        store.on_change(self._notice)

    def runner(self, pod: Json) -> PodRunner | None:
        """The runner of a pod; also after its end, while the object exists."""
        return self._runners.get(pod["metadata"]["uid"])

    def finder(self, namespace: str) -> Callable[[str, str], Json | None]:
        """Finds Secrets and ConfigMaps of a namespace by lower-case kind and name."""
        resources = {"secret": SECRETS, "configmap": CONFIG_MAPS}
        return lambda kind, name: self.store.find(resources[kind], namespace, name)

    def volumes(self, namespace: str, directory: Path) -> PodVolumes:
        """The volumes of one pod below ``directory``."""
        return PodVolumes(
            directory=directory,
            find=self.finder(namespace),
            claims_directory=self.settings.state_directory / "claims",
            node_capacity=self.settings.node_capacity,
            issue_token=self.issue_token,
            can_mount=self.can_mount,
        )

    def service_environment(self) -> dict[str, str]:
        """Where the API server is, as every container is told."""
        return {
            "KUBERNETES_SERVICE_HOST": self.settings.address,
            "KUBERNETES_SERVICE_PORT": str(self.settings.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self.settings.port),
        }

    def _notice(self, change: Change) -> None:
        if change.resource is not PODS:
            return
        if change.before is None and change.after is not None:
            self._adopt(change.after)
        elif change.after is None and change.before is not None:
            runner = self._runners.pop(change.before["metadata"]["uid"], None)
            if runner is not None and not runner.stopping.is_set():
                runner.stop(0)
        elif _is_deleted(change.after) and not _is_deleted(change.before):
            self._end(change.after)

    def _adopt(self, pod: Json) -> None:
        number = next(self._addresses)
        address = f"127.{64 + number // 65536 % 64}.{number // 256 % 256}.{number % 256}"
        runner = PodRunner(self, pod, address)
        self._runners[runner.uid] = runner
        self._tasks[runner.uid] = asyncio.get_running_loop().create_task(self._run(runner))

    async def _run(self, runner: PodRunner) -> None:
        try:
            await runner.run()
        except Exception:  # noqa: BLE001  (a fault of the stand-in itself must reach the test, not vanish in a task)
            self.report_fault(traceback.format_exc())
            runner.stop(0, Verdict("StandinFault", "the stand-in failed; see its error output"))
            await runner.conclude()
        finally:
            self.scheduler.release(runner.uid)
            runner.volumes.release()
            self._tasks.pop(runner.uid, None)

    def report_fault(self, trace: str) -> None:
        """Remember and print a fault of the stand-in itself."""
        self.internal_errors.append(trace)
        print(trace, file=sys.stderr, flush=True)

    def _end(self, pod: Json | None) -> None:
        runner = None if pod is None else self._runners.get(pod["metadata"]["uid"])
        if pod is not None and runner is not None:
            runner.stop(pod["metadata"]["deletionGracePeriodSeconds"])

    async def shut_down(self) -> None:
        """Kill every container and wait until all are gone."""
        for runner in list(self._runners.values()):
            runner.stop(0)
        await asyncio.gather(*list(self._tasks.values()))


def _is_deleted(pod: Json | None) -> bool:
    return pod is not None and "deletionTimestamp" in pod["metadata"]
