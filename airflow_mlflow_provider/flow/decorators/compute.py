"""``@resources`` and ``@kubernetes``: what a step needs, and the pod that it gets on Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, overload

from airflow_mlflow_provider.flow.decorators.attributes import (
    Fields,
    anything,
    flag,
    listing,
    mapping,
    number,
    text,
    whole_number,
)
from airflow_mlflow_provider.flow.decorators.base import Problem, StepDecorator, StepFunction, decorate_step
from airflow_mlflow_provider.flow.decorators.kubernetes_names import kubernetes_problems
from airflow_mlflow_provider.flow.graph import StepNode

_AMOUNTS = ("cpu", "gpu", "memory", "disk", "shared_memory")


class ResourcesDecorator(StepDecorator):
    """Say what a step needs; see :func:`resources`."""

    name = "resources"
    fields: ClassVar[Fields] = {
        "cpu": number(1, minimum=0),
        "gpu": whole_number(None, minimum=0),
        "disk": number(None, minimum=0),
        "memory": number(4096, minimum=0),
        "shared_memory": number(None, minimum=0),
    }


class KubernetesDecorator(StepDecorator):
    """Run a step in a pod of its own on Airflow; see :func:`kubernetes`."""

    name = "kubernetes"
    fields: ClassVar[Fields] = {
        "cpu": number(1, minimum=0),
        "memory": number(4096, minimum=0),
        "disk": number(10240, minimum=0),
        "image": text(None),
        "image_pull_policy": text(None, choices=("Always", "IfNotPresent", "Never")),
        "image_pull_secrets": listing(None),
        "service_account": text(None),
        "secrets": listing(None),
        "node_selector": anything(None, "a dict, or a string such as 'pool=gpu,zone=a'"),
        "namespace": text(None),
        "gpu": whole_number(None, minimum=0),
        "gpu_vendor": text(None),
        "tolerations": listing(None, allowed="a list of tolerations"),
        "labels": mapping(None),
        "annotations": mapping(None),
        "use_tmpfs": flag(None),
        "tmpfs_tempdir": flag(True),
        "tmpfs_size": number(None, minimum=0),
        "tmpfs_path": text("/metaflow_temp"),
        "persistent_volume_claims": mapping(None),
        "shared_memory": number(None, minimum=0),
        "port": whole_number(None, minimum=1),
        "compute_pool": text(None),
        "executable": text(None),
        "hostname_resolution_timeout": number(600, minimum=0),
        "qos": text("burstable", choices=("burstable", "guaranteed")),
        "extended_resources": mapping({}),
        "security_context": mapping(None),
        "warm": flag(False),
    }

    def check(self) -> Iterator[Problem]:
        """Refuse a selector of a wrong form, and turn its text into a dict."""
        selector = self.attributes["node_selector"]
        try:
            self.attributes["node_selector"] = parse_node_selector(selector)
        except ValueError:
            yield self.bad_value("node_selector", selector, self.fields["node_selector"].allowed)
            self.attributes["node_selector"] = None

    def deployment_problems(self) -> Iterator[Problem]:
        """What Kubernetes would refuse (X006)."""
        for attribute, message, fix in kubernetes_problems(self.attributes):
            yield Problem("X006", f"@kubernetes: the attribute '{attribute}': {message}", fix)


def parse_node_selector(written: Any) -> dict[str, str] | None:
    """A node selector as a dict.

    Args:
        written: A mapping, the text ``key=value,key=value``, or a list of ``key=value``.

    Raises:
        ValueError: It is none of these.
    """
    if written is None or isinstance(written, Mapping):
        return None if written is None else {str(key): str(value) for key, value in written.items()}
    parts = written.split(",") if isinstance(written, str) else written
    if not isinstance(parts, (list, tuple)):
        raise ValueError(written)
    selector: dict[str, str] = {}
    for part in parts:
        key, equals, value = str(part).strip().partition("=")
        if not equals or not key:
            raise ValueError(written)
        selector[key] = value
    return selector


def effective_resources(node: StepNode) -> dict[str, float]:
    """What the step's pod asks for: per amount the larger of ``@resources`` and ``@kubernetes``.

    Returns:
        Those of ``cpu`` (cores), ``gpu`` (devices), ``memory``, ``disk`` and ``shared_memory`` (MB) that are given.
    """
    specs = [spec for name in ("resources", "kubernetes") if (spec := node.decorator(name)) is not None]
    amounts: dict[str, float] = {}
    for amount in _AMOUNTS:
        written = [value for spec in specs if (value := spec.attributes.get(amount)) is not None]
        if written:
            amounts[amount] = max(written)
    return amounts


@overload
def resources(function: StepFunction, /) -> StepFunction: ...
@overload
def resources(
    *,
    cpu: float = 1,
    gpu: int | None = None,
    disk: float | None = None,
    memory: float = 4096,
    shared_memory: float | None = None,
) -> Callable[[StepFunction], StepFunction]: ...
def resources(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: say what the step needs, wherever it runs.

    On this machine it is recorded, not enforced.

    Args:
        function: The step, for ``@resources`` without parentheses.
        cpu: Cores.
        gpu: Devices.
        disk: MB.
        memory: MB.
        shared_memory: MB of ``/dev/shm``.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(ResourcesDecorator, function, attributes)


@overload
def kubernetes(function: StepFunction, /) -> StepFunction: ...
@overload
def kubernetes(
    *,
    cpu: float = 1,
    memory: float = 4096,
    disk: float = 10240,
    image: str | None = None,
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None,
    image_pull_secrets: Sequence[str] | None = None,
    service_account: str | None = None,
    secrets: Sequence[str] | str | None = None,
    node_selector: Mapping[str, str] | str | None = None,
    namespace: str | None = None,
    gpu: int | None = None,
    gpu_vendor: str | None = None,
    tolerations: Sequence[Mapping[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    use_tmpfs: bool | None = None,
    tmpfs_tempdir: bool = True,
    tmpfs_size: float | None = None,
    tmpfs_path: str = "/metaflow_temp",
    persistent_volume_claims: Mapping[str, str] | None = None,
    shared_memory: float | None = None,
    port: int | None = None,
    compute_pool: str | None = None,
    executable: str | None = None,
    hostname_resolution_timeout: float = 600,
    qos: Literal["burstable", "guaranteed"] = "burstable",
    extended_resources: Mapping[str, Any] = ...,
    security_context: Mapping[str, Any] | None = None,
    warm: bool = False,
) -> Callable[[StepFunction], StepFunction]: ...
def kubernetes(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: on Airflow the step runs in a pod of its own; in a local run it changes nothing.

    Args:
        function: The step, for ``@kubernetes`` without parentheses.
        cpu: Cores.
        memory: MB.
        disk: MB of ephemeral storage.
        image: Image of the step; by default the option ``kubernetes_image``. Any with a supported Python will do.
        image_pull_policy: As in a pod.
        image_pull_secrets: Names of Kubernetes secrets for the registry.
        service_account: Name; by default the option ``kubernetes_service_account``.
        secrets: Names of Kubernetes secrets whose entries become environment variables.
        node_selector: Labels that the node must have; a dict, or a text such as ``pool=gpu,zone=a``.
        namespace: Namespace of the pod; by default the option ``kubernetes_namespace``.
        gpu: Devices.
        gpu_vendor: Whose they are; ``nvidia`` by default.
        tolerations: As in a pod, a list of dicts.
        labels: Labels of the pod, in addition to those of the option ``kubernetes_labels``.
        annotations: Annotations, likewise.
        use_tmpfs: Whether there is a file system in memory; by default where ``tmpfs_size`` is given.
        tmpfs_tempdir: Whether ``current.tempdir`` is that file system.
        tmpfs_size: Its size in MB; by default half of the memory.
        tmpfs_path: Where it is mounted.
        persistent_volume_claims: Mount paths by name of the claim.
        shared_memory: MB of ``/dev/shm``.
        port: A port of the container that is opened.
        compute_pool: A name of the option ``compute_pools``, which gives node selector and tolerations.
        executable: The Python in the image, by name or path.
        hostname_resolution_timeout: Seconds that a node of a gang waits for the first one's address, beyond what a pod may take
            to start (``pod_startup_timeout_s``).
        qos: ``"guaranteed"`` makes limits of the requests.
        extended_resources: Amounts by resource name, put into requests and limits.
        security_context: As of a container, a dict.
        warm: Whether the step may run in a pod that stands, after and before other steps of the deployment that have the same
            pod: for steps that take less time than a pod needs to start.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(KubernetesDecorator, function, attributes)
