"""Warm pods: pods that stand and take one short step after another, where a pod for each step costs more than the step.

A step that says ``@kubernetes(warm=True)`` looks for a standing pod of its deployment whose specification is the one that its own
pod would have: same image, resources, service account, volumes, environment. It runs there as a process of its own, executed
over the API server; the verdict is its record, as always. There are at most ``warm_pods`` of a kind, one for each numbered name,
so two workers never make one too many. A step that finds none free, or whose pod cannot be used for whatever reason, gets a pod
of its own: warm pods make steps quicker and never make them wait or fail.

A pod ends by itself after ``warm_pod_idle_s`` without a step, and the next step that looks for one removes what has ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.operators.kubernetes import names, spec
from airflow_mlflow_provider.operators.kubernetes.api import PodApi
from airflow_mlflow_provider.operators.kubernetes.command import (
    standing_command,
    taking_command,
    taking_message,
)
from airflow_mlflow_provider.operators.kubernetes.environment import setting
from airflow_mlflow_provider.operators.kubernetes.execution import Execution, Refused
from airflow_mlflow_provider.operators.kubernetes.holding import pod_operator
from airflow_mlflow_provider.operators.kubernetes.outcome import (
    PodOutcome,
    final_outcome,
    given_up,
    now,
    started,
    vanished,
)
from airflow_mlflow_provider.operators.kubernetes.running_pod import RunningPod
from airflow_mlflow_provider.runtime.standing import BUSY

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_mlflow_provider.flow.graph import StepNode
    from airflow_mlflow_provider.plan.manifest import FlowManifest
    from airflow_mlflow_provider.runtime.request import UnitRequest

# How long the end of a pod may take to be seen after the connection to it broke, or its step was killed.
_SETTLING_S = 3.0
_KILLED = 128 + signal.SIGKILL


def is_warm(step: StepNode, manifest: FlowManifest, request: UnitRequest, *, has_secrets: bool) -> bool:
    """Whether a step may run in a warm pod.

    Nodes of a gang may not, as they start together; nor may steps with secrets from Airflow, which are a pod's from its start.
    """
    asked = bool(spec.effective_attributes(step, manifest).get("warm"))
    return asked and request.node is None and not has_secrets


class WarmPods:
    """The warm pods that one try of a unit may use.

    Args:
        step: The step whose decorators decide on the pod.
        manifest: The flow.
        request: What is to run.
        operator: The operator that is executing; its log gets the step's.
        context: Airflow's context of the try.
        stopped: Tells whether the task was killed.
    """

    def __init__(
        self,
        *,
        step: StepNode,
        manifest: FlowManifest,
        request: UnitRequest,
        operator: BaseOperator,
        context: Context,
        stopped: Callable[[], bool],
    ) -> None:
        self._step = step
        self._manifest = manifest
        self._request = request
        self._operator = operator
        self._context = context
        self._stopped = stopped
        self._executable = spec.effective_attributes(step, manifest).get("executable")
        self._pod = self._specification()
        self.kind = _digest(self._pod, manifest, request)

    def run(self) -> PodOutcome | None:
        """Run the unit in a warm pod, with its log in the task's.

        Returns:
            How it ended; ``None`` if it did not begin, so that it has to run in a pod of its own.
        """
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return self._run()
        except (ApiException, HTTPError, Refused) as error:
            self._operator.log.warning(
                "No warm pod can be used, so the step gets a pod of its own: %s", error
            )
            return None

    def _run(self) -> PodOutcome | None:
        api, wanted = self._hold(0)
        standing = self._standing(api)
        ready = [pod for pod in standing if started(pod)]
        random.shuffle(ready)
        for pod in ready:
            if (outcome := self._run_in(api, pod)) is not None:
                return outcome
        taken = {pod.metadata.name for pod in standing}
        for slot in range(int(setting(self._manifest, "warm_pods"))):
            if self._name(slot) not in taken:
                api, wanted = self._hold(slot)
                pod = self._created(api, wanted)
                if pod is not None:
                    return self._start_and_run_in(api, pod)
        self._operator.log.info("All warm pods are in use; the step gets a pod of its own.")
        return None

    def _standing(self, api: PodApi) -> list[Any]:
        """The pods of this kind that live. What has ended, of any kind, is removed."""
        found = []
        for pod in api.find(f"app.kubernetes.io/managed-by={names.PREFIX},{names.WARM_LABEL}"):
            if final_outcome(pod, now()) is not None:
                api.delete(pod.metadata.name, pod.metadata.uid)
            elif (
                pod.metadata.deletion_timestamp is None and pod.metadata.labels[names.WARM_LABEL] == self.kind
            ):
                found.append(pod)
        return found

    def _created(self, api: PodApi, wanted: Any) -> Any:
        """The new pod, or ``None`` if another worker has just made the one of this name."""
        from kubernetes.client.exceptions import ApiException

        try:
            return api.create(wanted)
        except ApiException as error:
            if error.status == 409:
                return None
            raise

    def _start_and_run_in(self, api: PodApi, pod: Any) -> PodOutcome | None:
        running = RunningPod(
            api,
            pod,
            asked_at=time.time(),
            start_timeout_s=float(setting(self._manifest, "pod_startup_timeout_s")),
            log=self._operator.log,
            stopped=self._stopped,
        )
        self._operator.log.info("Warm pod %s in namespace %s is new.", running.name, running.namespace)
        outcome = running.await_start()
        if outcome is not None:
            return running.finish(outcome, "delete_pod")
        return self._run_in(api, pod)

    def _run_in(self, api: PodApi, pod: Any) -> PodOutcome | None:
        """Run the unit in a pod; ``None`` if another step has it, or it is about to leave."""
        name, node = pod.metadata.name, pod.spec.node_name or ""
        execution = Execution.open(api, name, taking_command(self._executable))
        if execution is None:
            return None
        image = spec.pod_image(self._step, self._manifest)
        limit = spec.active_deadline(self._step, self._manifest, self._request)
        with execution:
            execution.send(taking_message(self._manifest, self._request, image))
            said = False
            for line in execution.lines(time.monotonic() + limit, self._stopped):
                if not said:
                    self._operator.log.info("In the warm pod %s.", name)
                    said = True
                self._operator.log.info("%s", line)
        if self._stopped():
            return given_up(name, "Running", "Killed", "The task was ended; the warm pod goes on.", node)
        if execution.exit_code == BUSY:
            return None
        if execution.exit_code is None:
            return self._broken(api, pod, overdue=execution.is_overdue)
        code = execution.exit_code
        if code == _KILLED and (outcome := self._end_of(api, pod)) is not None:
            return outcome
        reason = "Completed" if code == 0 else "Error"
        outcome = PodOutcome("Running", reason, exit_code=code, pod_name=name, node=node)
        self._operator.log.info("Warm pod %s: %s", name, outcome.summary)
        return outcome

    def _broken(self, api: PodApi, pod: Any, *, overdue: bool) -> PodOutcome:
        """Why a connection ended before the step was said to have."""
        name, node = pod.metadata.name, pod.spec.node_name or ""
        if overdue:
            return given_up(name, "Running", "DeadlineExceeded", "The step took longer than it may.", node)
        outcome = self._end_of(api, pod)
        told = "The connection to the pod broke, which ends the step."
        return outcome or given_up(name, "Running", "Disconnected", told, node)

    def _end_of(self, api: PodApi, pod: Any) -> PodOutcome | None:
        """How the pod has ended, or is about to; ``None`` if it goes on."""
        name, node = pod.metadata.name, pod.spec.node_name or ""
        give_up_at = time.monotonic() + _SETTLING_S
        while time.monotonic() < give_up_at:
            found = api.read(name)
            if found is None or found.metadata.uid != pod.metadata.uid:
                return vanished(name, node)
            outcome = final_outcome(found, now())
            if outcome is not None:
                return outcome
            time.sleep(0.2)
        return None

    def _specification(self) -> spec.Json:
        """The pod as it would be for the step alone, but for its command and its limit of time."""
        idle_s = float(setting(self._manifest, "warm_pod_idle_s"))
        command = standing_command(idle_s, self._executable)
        pod = spec.pod_specification(self._step, self._manifest, self._request, command, os.environ)
        pod["spec"].pop("activeDeadlineSeconds")
        return pod

    def _hold(self, slot: int) -> tuple[PodApi, Any]:
        """The API, and the pod with a number."""
        pod = json.loads(json.dumps(self._pod))
        instance = self._context["ti"]
        exact = names.exact_ids(self._request, instance.try_number, str(instance.id))
        spec.name_pod(pod, self._name(slot), names.warm_labels(self._request, self.kind), exact)
        connection = setting(self._manifest, "kubernetes_conn_id")
        held = pod_operator(self._operator.task_id, connection, pod, "keep_pod")
        wanted = held.build_pod_request_obj(self._context)
        return PodApi(held, wanted.metadata.namespace, self._stopped), wanted

    def _name(self, slot: int) -> str:
        return names.warm_pod_name(self._request, self.kind, slot)


def _digest(pod: spec.Json, manifest: FlowManifest, request: UnitRequest) -> str:
    """What two steps share that may run in the same pod: deployment, store and all of the pod."""
    identity = [manifest.dag_id, manifest.task_group, request.flow, request.store, pod]
    text = json.dumps(identity, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
