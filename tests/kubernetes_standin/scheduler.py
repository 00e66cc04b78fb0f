"""Places pods on the one node: labels, affinity, claims and capacity must fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.kubernetes_standin import quantity
from tests.kubernetes_standin.pod_status import merged_condition
from tests.kubernetes_standin.resources import CLAIMS, PODS
from tests.kubernetes_standin.status import Json

if TYPE_CHECKING:
    from tests.kubernetes_standin.kubelet import Kubelet
    from tests.kubernetes_standin.pod_runner import PodRunner

NODE_NAME = "standin-node"
Amounts = dict[str, Decimal]


class Scheduler:
    """Keeps count of what the running pods requested."""

    def __init__(self, kubelet: Kubelet) -> None:
        self.kubelet = kubelet
        self._used: dict[str, Amounts] = {}

    async def place(self, runner: PodRunner) -> bool:
        """Wait until the pod fits, and bind it; False when it was stopped first."""
        requested = pod_requests(runner.spec)
        told = ""
        while not runner.stopping.is_set():
            pod = runner.stored()
            if pod is None:
                return False
            problem = self._problem(pod, requested)
            if not problem:
                self._used[runner.uid] = requested
                self._bind(runner)
                return True
            if problem != told:
                told = problem
                self._report(runner, problem)
            await runner.pause(self.kubelet.settings.retry_seconds)
        return False

    def release(self, uid: str) -> None:
        """A pod has ended; its resources are free."""
        self._used.pop(uid, None)

    def _bind(self, runner: PodRunner) -> None:
        def bind(pod: Json) -> None:
            pod["spec"]["nodeName"] = NODE_NAME
            _set_scheduled(pod, value=True, extra={})

        self.kubelet.store.update(PODS, runner.namespace, runner.name, bind)
        message = f"Successfully assigned {runner.namespace}/{runner.name} to {NODE_NAME}"
        runner.event("Normal", "Scheduled", message)

    def _report(self, runner: PodRunner, problem: str) -> None:
        message = f"0/1 nodes are available: {problem}."
        extra = {"reason": "Unschedulable", "message": message}

        def mark(pod: Json) -> None:
            _set_scheduled(pod, value=False, extra=extra)

        self.kubelet.store.update(PODS, runner.namespace, runner.name, mark)
        runner.event("Warning", "FailedScheduling", message)

    def _problem(self, pod: Json, requested: Amounts) -> str:
        """Why the pod does not fit now; empty when it does."""
        spec, labels = pod["spec"], self.kubelet.node_labels
        selector = spec.get("nodeSelector") or {}
        if not selector.items() <= labels.items() or not _affine(spec.get("affinity") or {}, labels):
            return "1 node(s) didn't match Pod's node affinity/selector"
        for volume in spec.get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim and self.kubelet.store.find(CLAIMS, pod["metadata"]["namespace"], claim) is None:
                return f'persistentvolumeclaim "{claim}" not found'
        short = [name for name, amount in requested.items() if amount > self._free(name)]
        return ", ".join("Too many pods" if name == "pods" else f"1 Insufficient {name}" for name in short)

    def _free(self, name: str) -> Decimal:
        total = quantity.parse(self.kubelet.settings.node_capacity.get(name, "0"))
        return total - sum((used.get(name, Decimal(0)) for used in self._used.values()), Decimal(0))


def _set_scheduled(pod: Json, *, value: bool, extra: Json) -> None:
    before = {condition["type"]: condition for condition in pod["status"].get("conditions") or []}
    before["PodScheduled"] = merged_condition(before, "PodScheduled", value, extra)
    pod["status"]["conditions"] = list(before.values())


def pod_requests(spec: Json) -> Amounts:
    """What a pod asks of its node: containers and sidecars together, or its greediest init container."""
    total: Amounts = {}
    for container in [*spec["containers"], *_inits(spec, lambda policy: policy == "Always")]:
        for name, amount in _requests(container).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in _inits(spec, lambda policy: policy != "Always"):
        for name, amount in _requests(container).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return {**{name: amount for name, amount in total.items() if amount > 0}, "pods": Decimal(1)}


def _inits(spec: Json, wanted: Callable[[object], bool]) -> Iterator[Json]:
    return (init for init in spec.get("initContainers") or [] if wanted(init.get("restartPolicy")))


def _requests(container: Json) -> Amounts:
    requests = (container.get("resources") or {}).get("requests") or {}
    return {name: quantity.parse(amount) for name, amount in requests.items()}


def _affine(affinity: Json, labels: dict[str, str]) -> bool:
    """Whether required node affinity accepts the node: any term, all expressions of it."""
    node = affinity.get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or []
    return not terms or any(
        all(_matches(e, labels) for e in term.get("matchExpressions") or []) for term in terms
    )


def _matches(expression: Json, labels: dict[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    tests: dict[str, bool] = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
        "Gt": value is not None and bool(values) and int(value) > int(values[0]),
        "Lt": value is not None and bool(values) and int(value) < int(values[0]),
    }
    return tests[expression["operator"]]
