"""The resource types the stand-in serves."""

from __future__ import annotations

from dataclasses import dataclass

from tests.kubernetes_standin.names import Rule, dns_label, dns_subdomain

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True)
class Resource:
    """One resource type: where it is served, how it is decoded, which verbs and field selectors it knows."""

    group: str
    version: str
    plural: str
    kind: str
    model: str
    namespaced: bool = True
    verbs: tuple[str, ...] = READ + WRITE
    subresources: tuple[str, ...] = ()
    selectable: tuple[str, ...] = ()
    name_rule: Rule = dns_subdomain
    short_names: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """``v1`` or ``batch/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def selectable_fields(self) -> dict[str, tuple[str, ...]]:
        """Field selector labels and the paths they stand for."""
        labels = ("metadata.name", *(("metadata.namespace",) if self.namespaced else ()), *self.selectable)
        return {label: tuple(label.split(".")) for label in labels}


NAMESPACES = Resource(
    "", "v1", "namespaces", "Namespace", "V1Namespace", namespaced=False, subresources=("status",),
    selectable=("status.phase",), name_rule=dns_label, short_names=("ns",),
)  # fmt: skip
NODES = Resource(
    "", "v1", "nodes", "Node", "V1Node", namespaced=False, verbs=READ, subresources=("status",),
    selectable=("spec.unschedulable",), short_names=("no",),
)  # fmt: skip
PODS = Resource(
    "", "v1", "pods", "Pod", "V1Pod", subresources=("status", "log", "exec"),
    selectable=(
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    short_names=("po",),
)  # fmt: skip
EVENTS = Resource(
    "", "v1", "events", "Event", "CoreV1Event",
    selectable=(
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "type",
    ),
    short_names=("ev",),
)  # fmt: skip
SECRETS = Resource("", "v1", "secrets", "Secret", "V1Secret", selectable=("type",))
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", "V1ConfigMap", short_names=("cm",))
SERVICE_ACCOUNTS = Resource(
    "", "v1", "serviceaccounts", "ServiceAccount", "V1ServiceAccount", short_names=("sa",)
)
CLAIMS = Resource(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "V1PersistentVolumeClaim",
    subresources=("status",), short_names=("pvc",),
)  # fmt: skip
JOBS = Resource(
    "batch", "v1", "jobs", "Job", "V1Job", subresources=("status",), selectable=("status.successful",)
)

ALL = (NAMESPACES, NODES, PODS, EVENTS, SECRETS, CONFIG_MAPS, SERVICE_ACCOUNTS, CLAIMS, JOBS)
BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in ALL}
