"""The parts of one stand-in, wired together."""

from __future__ import annotations

import copy
import hashlib
import hmac
import secrets

from tests.kubernetes_standin.chaos import Chaos
from tests.kubernetes_standin.container_process import probe_isolation
from tests.kubernetes_standin.garbage import GarbageCollector
from tests.kubernetes_standin.jobs import JobController
from tests.kubernetes_standin.kubelet import Kubelet
from tests.kubernetes_standin.registry import Registry
from tests.kubernetes_standin.resources import CONFIG_MAPS, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS
from tests.kubernetes_standin.scheduler import NODE_NAME
from tests.kubernetes_standin.settings import Settings
from tests.kubernetes_standin.status import Json
from tests.kubernetes_standin.store import Change, ObjectStore, now

NAMESPACES_AT_START = ("default", "kube-system", "kube-public", "kube-node-lease")


class Cluster:
    """Store, API rules, node and controllers of one stand-in."""

    def __init__(self, settings: Settings, isolation: str, certificate: str, can_mount: bool) -> None:
        self.settings = settings
        self.chaos = Chaos()
        self.store = ObjectStore()
        self.pod_records: dict[str, Json] = {}
        self._token_key = secrets.token_bytes(32)
        self._tokens: dict[str, str] = dict(settings.tokens)
        self._certificate = certificate
        self.store.on_change(self._remember)
        self.kubelet = Kubelet(self.store, settings, self.chaos, isolation, self.issue_token, can_mount)
        self.registry = Registry(self.store, self.kubelet)
        self.garbage_collector = GarbageCollector(self.store, self.registry)
        self.jobs = JobController(self.store, self.registry, self.kubelet.events)
        self._populate()

    @classmethod
    async def start(cls, settings: Settings, certificate: str = "", *, can_mount: bool = False) -> Cluster:
        """Find out what this machine permits, and make the cluster."""
        settings.state_directory.mkdir(parents=True, exist_ok=True)
        isolation = settings.isolation or await probe_isolation(settings.state_directory)
        return cls(settings, isolation, certificate, can_mount)

    def _populate(self) -> None:
        capacity = self.settings.node_capacity
        node: Json = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {"name": NODE_NAME, "labels": self.kubelet.node_labels},
            "spec": {},
            "status": {
                "capacity": capacity,
                "allocatable": capacity,
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now()}],
                "addresses": [{"type": "InternalIP", "address": self.settings.address}],
            },
        }
        self.store.create(NODES, node)
        for name in NAMESPACES_AT_START:
            self.registry.create(NAMESPACES, "", {"metadata": {"name": name}})

    def user(self, token: str) -> str | None:
        """Who a bearer token belongs to; None when nobody."""
        return self._tokens.get(token)

    def issue_token(self, namespace: str, account: str) -> str:
        """The token of a service account; it has no rights, as a new service account has none."""
        name = f"system:serviceaccount:{namespace}:{account}"
        token = hmac.new(self._token_key, name.encode(), hashlib.sha256).hexdigest()
        self._tokens[token] = name
        return token

    def _remember(self, change: Change) -> None:
        """Keep every pod's first and last state, and give new namespaces what every namespace has."""
        latest = change.after or change.before
        if latest is None:
            return
        if change.resource is PODS:
            uid = latest["metadata"]["uid"]
            entry = self.pod_records.setdefault(uid, {"created": copy.deepcopy(latest)})
            entry["last"] = latest
            entry["deleted"] = change.after is None
        elif change.resource is NAMESPACES and change.before is None:
            self._furnish(latest["metadata"]["name"])

    def _furnish(self, namespace: str) -> None:
        account = {"metadata": {"name": "default", "namespace": namespace}}
        root = {
            "metadata": {"name": "kube-root-ca.crt", "namespace": namespace},
            "data": {"ca.crt": self._certificate},
        }
        for resource, item in ((SERVICE_ACCOUNTS, account), (CONFIG_MAPS, root)):
            self.store.create(resource, {"kind": resource.kind, "apiVersion": resource.api_version, **item})

    async def reset(self) -> None:
        """Remove every pod, object, fault and memory; afterwards the cluster is as new."""
        await self.kubelet.shut_down()
        for resource in self.registry.user_resources():
            for item in self.store.select(resource):
                metadata = item["metadata"]
                self.store.remove(resource, metadata.get("namespace", ""), metadata["name"])
        for name in NAMESPACES_AT_START:
            self.registry.create(NAMESPACES, "", {"metadata": {"name": name}})
        self.chaos.reset()
        self.pod_records.clear()
        self.kubelet.internal_errors.clear()
