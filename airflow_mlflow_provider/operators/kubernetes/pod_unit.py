"""A unit of steps as a Kubernetes pod: asked for, followed, told apart in its ends, cleaned up.

The pod is watched here rather than by the pod operator's own ``execute``: that waits in whole seconds at every turn and
knows two ends, success and failure. A pod has more, and which one it was decides what the user is told and what ``@catch``
stores. The verdict on the step is none of them: it is the step's record.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from airflow_mlflow_provider.exception import MetaflowException, MetaflowInternalError, TaskFailed
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.operators.kubernetes import names, spec
from airflow_mlflow_provider.operators.kubernetes.api import PodApi
from airflow_mlflow_provider.operators.kubernetes.command import container_command
from airflow_mlflow_provider.operators.kubernetes.environment import setting
from airflow_mlflow_provider.operators.kubernetes.holding import pod_operator
from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome, final_outcome, now, vanished
from airflow_mlflow_provider.operators.kubernetes.refusal import refusal
from airflow_mlflow_provider.operators.kubernetes.running_pod import RunningPod
from airflow_mlflow_provider.operators.kubernetes.warm_pod import WarmPods, is_warm
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.request import UnitRequest

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from airflow.sdk import BaseOperator, Context

# How long a worker stays with a pod before it leaves it to the triggerer: coming back costs a worker's start.
PROMPT_S = 5.0
_KILLED_LOOK_S = 0.5


class PodUnit:
    """One try of one unit.

    Args:
        step: The step whose decorators decide on the pod; the first one of a fused unit.
        manifest: The flow.
        request: What the pod is to run.
        operator: The operator that is executing; its log gets the pod's, and it is the one that defers.
        context: Airflow's context of the try.
        secrets: What the step has asked Airflow for, by environment variable.
    """

    def __init__(
        self,
        *,
        step: StepNode,
        manifest: FlowManifest,
        request: UnitRequest,
        operator: BaseOperator,
        context: Context,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._step = step
        self._manifest = manifest
        self._request = request
        self._operator = operator
        self._context = context
        self._secrets = dict(secrets or {})
        self._held: KubernetesPodOperator | None = None
        self._killed = False
        self._label = "" if request.node is None else f"[{request.steps[0]}/{names.tasks_text(request)}] "
        self.running: RunningPod | None = None

    @property
    def deferrable(self) -> bool:
        """Whether waiting is left to the triggerer: ``@airflow_task(deferrable=…)``, else ``pod_deferrable``."""
        own = self._step.decorator("airflow_task")
        said = own.attributes.get("deferrable") if own else None
        return bool(setting(self._manifest, "pod_deferrable") if said is None else said)

    def run(self) -> PodOutcome:
        """Start the pod, stay with it to its end with its log in the task's, and clean up.

        Returns:
            How it ended, however it ended.

        Raises:
            MetaflowException: The pod could not be asked for.
        """
        return self._to_the_end(self.start())

    def run_warm(self) -> PodOutcome | None:
        """Run it in a warm pod, if the step may and one is free; ``None`` if it has to be a pod of its own."""
        if not is_warm(self._step, self._manifest, self._request, has_secrets=bool(self._secrets)):
            return None
        warm = WarmPods(
            step=self._step,
            manifest=self._manifest,
            request=self._request,
            operator=self._operator,
            context=self._context,
            stopped=self._is_killed,
        )
        return warm.run()

    def run_or_defer(self) -> PodOutcome:
        """As :meth:`run` for a pod that ends within :data:`PROMPT_S` seconds; as :meth:`defer` for any other."""
        running = self.start()
        outcome = running.await_end(time.monotonic() + PROMPT_S, follow_log=False)
        if outcome is None:
            self._leave_to_triggerer()
        return self.finish(outcome)

    def defer(self) -> NoReturn:
        """Start the pod and leave it to the triggerer, which calls ``resume_pod`` of the operator in the end.

        Raises:
            TaskDeferred: To Airflow.
            MetaflowException: The pod could not be asked for.
        """
        self.start()
        self._leave_to_triggerer()

    def resume(self, event: dict[str, Any]) -> PodOutcome:
        """Go on after the trigger: the pod's end, the rest of its log, cleaning up.

        Args:
            event: What the trigger sent.
        """
        told = msgspec.convert(event["outcome"], PodOutcome)
        if not self.adopt(event):
            return vanished(told.pod_name, told.node) if told.reason == "Unreachable" else told
        running = self._running_pod()
        if told.reason == "Unreachable":
            # The triggerer may not see pods, or could not for a while. This worker can.
            self._operator.log.warning("The triggerer lost sight of the pod: %s", told.message)
            return self._to_the_end(running)
        return self.finish(running.outcome() or told)

    def adopt(self, event: Mapping[str, Any]) -> bool:
        """Take up the pod that a trigger has watched; whether it is still there.

        Args:
            event: ``pod_name``, ``namespace``, ``uid`` and ``asked_at``.

        Raises:
            MetaflowException: The cluster cannot be asked.
        """
        name = str(event["pod_name"])
        held, wanted = self._hold(name, event["namespace"])
        api = PodApi(held, wanted.metadata.namespace, self._is_killed)
        try:
            pod = api.read(name)
        except Exception as error:
            raise refusal(error, "read a pod", self._where(wanted)) from error
        if pod is None or pod.metadata.uid != event["uid"]:
            self._operator.log.warning("The pod %s is gone, and its log with it.", name)
            return False
        self._held, self.running = held, self._follow(api, pod, event["asked_at"])
        return True

    def pause(self, seconds: float) -> None:
        """Wait before there is a pod.

        Raises:
            TaskFailed: The task was ended meanwhile.
        """
        over = time.monotonic() + seconds
        while not self._killed and (left := over - time.monotonic()) > 0:
            time.sleep(min(left, _KILLED_LOOK_S))
        if self._killed:
            raise TaskFailed("The task was ended before its pod was made.", where={"step": self._step.name})

    def kill(self) -> None:
        """Delete the pod, if there is one. For ``on_kill``, which Airflow calls in a signal handler."""
        self._killed = True
        if self.running is not None:
            self._operator.log.info("Deleting pod %s: the task was ended.", self.running.name)
            self.running.kill()

    def _is_killed(self) -> bool:
        return self._killed

    @property
    def _on_finish_action(self) -> str:
        return str(setting(self._manifest, "pod_on_finish_action"))

    def _to_the_end(self, running: RunningPod) -> PodOutcome:
        outcome = running.await_end()
        if outcome is None:
            raise MetaflowInternalError(f"Waiting for the pod {running.name} ended before it did.")
        return self.finish(outcome)

    def finish(self, outcome: PodOutcome) -> PodOutcome:
        """Pass on the rest of the pod's log, and remove the pod and its secret.

        Args:
            outcome: How it ended.

        Returns:
            The same, with what Kubernetes' events say of a pod that never started.
        """
        running = self._running_pod()
        finished = running.finish(outcome, self._on_finish_action)
        if self._secrets:
            running.delete_secret()
        return finished

    def _hold(self, name: str, namespace: str | None) -> tuple[KubernetesPodOperator, Any]:
        """The pod operator, and the pod that it would create under this name."""
        specification = self._specification(name)
        if namespace is not None:
            specification["metadata"]["namespace"] = namespace
        connection = setting(self._manifest, "kubernetes_conn_id")
        held = pod_operator(self._operator.task_id, connection, specification, self._on_finish_action)
        try:
            return held, held.build_pod_request_obj(self._context)
        except Exception as error:
            raise refusal(error, "build a pod", {"step": self._step.name}) from error

    def _specification(self, name: str) -> spec.Json:
        instance = self._context["ti"]
        request = self._request
        image = spec.pod_image(self._step, self._manifest)
        executable = spec.effective_attributes(self._step, self._manifest).get("executable")
        command = container_command(self._manifest, request, image, executable)
        pod = spec.pod_specification(self._step, self._manifest, request, command, os.environ)
        own_annotations = names.exact_ids(request, instance.try_number, str(instance.id))
        spec.name_pod(pod, name, names.labels(request, instance.try_number), own_annotations)
        if self._secrets:
            # It is called as the pod it is for.
            container = pod["spec"]["containers"][0]
            container["envFrom"] = [*container.get("envFrom", []), {"secretRef": {"name": name}}]
        return pod

    def start(self, own: Callable[[PodApi], Any] | None = None) -> RunningPod:
        """Ask for the pod, or take up the one that is there already.

        Args:
            own: Finds a pod to go on with; by default one of this try or of an earlier one of the same budget.

        Raises:
            MetaflowException: The pod could not be asked for.
        """
        held, wanted = self._hold(names.pod_name(self._request, self._context["ti"].try_number), None)
        api = PodApi(held, wanted.metadata.namespace, self._is_killed)
        asked_at = time.time()
        try:
            pod = (own or self._own_pod)(api) or self._create(api, wanted)
        except MetaflowException:
            raise
        except Exception as error:
            raise refusal(error, "create a pod", self._where(wanted)) from error
        self._held, self.running = held, self._follow(api, pod, asked_at)
        self._operator.log.info(
            "%sPod %s in namespace %s.", self._label, self.running.name, self.running.namespace
        )
        if self._killed:
            self.running.kill()
        return self.running

    def _running_pod(self) -> RunningPod:
        if self.running is None:
            raise MetaflowInternalError(f"Step {self._step.name} has no pod yet.")
        return self.running

    def _create(self, api: PodApi, wanted: Any) -> Any:
        if self._killed:
            raise TaskFailed("The task was ended before its pod was made.", where=self._where(wanted))
        return self._create_with_secret(api, wanted) if self._secrets else api.create(wanted)

    def _create_with_secret(self, api: PodApi, wanted: Any) -> Any:
        name = wanted.metadata.name
        try:
            api.create_secret(name, self._secrets)
        except Exception as error:
            raise refusal(error, "create a secret", self._where(wanted)) from error
        try:
            pod = api.create(wanted)
            api.give_secret_to(name, pod)
        except BaseException:
            api.delete_secret(name)
            raise
        return pod

    def _own_pod(self, api: PodApi) -> Any:
        """A live pod of this attempt or of an earlier one of the same budget, whose worker was lost.

        What it commits counts for this try, too. Any other live pod of these tasks is of a run before a clear: it is
        replaced, and deleted.
        """
        own = None
        counted = counted_attempts(self._request)
        for pod in live_pods(api, self._request):
            if own is None and pod.metadata.labels.get(names.ATTEMPT_LABEL) in map(str, counted):
                own = pod
                self._operator.log.info("Going on with the pod %s, whose worker was lost.", pod.metadata.name)
            else:
                self._operator.log.info("Deleting the pod %s: another one replaces it.", pod.metadata.name)
                api.delete(pod.metadata.name, pod.metadata.uid)
        return own

    def _follow(self, api: PodApi, pod: Any, asked_at: float) -> RunningPod:
        return RunningPod(
            api,
            pod,
            asked_at=asked_at,
            start_timeout_s=float(setting(self._manifest, "pod_startup_timeout_s")),
            log=self._operator.log,
            stopped=self._is_killed,
            label=self._label,
        )

    def watched(self) -> dict[str, Any]:
        """The arguments of the :class:`~airflow_mlflow_provider.triggers.pod.PodTrigger` that watches the pod."""
        running = self._running_pod()
        if self._held is None:
            raise MetaflowInternalError(f"Step {self._step.name} has no pod yet.")
        return {
            "pod_name": running.name,
            "namespace": running.namespace,
            "uid": running.uid,
            "asked_at": running.asked_at,
            "start_timeout_s": running.start_timeout_s,
            "kubernetes_conn_id": self._held.kubernetes_conn_id,
            # The triggerer's client does not find out by itself whether it is inside the cluster.
            "in_cluster": self._held.hook.is_in_cluster or None,
        }

    def _leave_to_triggerer(self) -> NoReturn:
        from airflow_mlflow_provider.triggers.pod import PodTrigger

        self._operator.defer(trigger=PodTrigger(**self.watched()), method_name="resume_pod")
        raise MetaflowInternalError("Airflow did not defer the task.")

    def _where(self, pod: Any) -> dict[str, Any]:
        return {"step": self._step.name, "namespace": pod.metadata.namespace, "pod": pod.metadata.name}


def counted_attempts(request: UnitRequest) -> range:
    """The attempts of the current budget, newest first: what they commit counts for this try."""
    return range(request.attempt, request.attempt - request.retry_count - 1, -1)


def live_pods(api: PodApi, request: UnitRequest) -> list[Any]:
    """The pods of a unit, of any try, that have not ended and are not about to.

    Args:
        api: Where they are.
        request: The unit's; of a gang, that of any node.
    """
    return [
        pod
        for pod in api.find(names.selector(request))
        if pod.metadata.deletion_timestamp is None and final_outcome(pod, now()) is None
    ]
