"""Flows whose steps are pods of the Kubernetes stand-in, with their artifacts in S3."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from kubernetes.client import ApiException, CoreV1Api
from kubernetes.config import new_client_from_config

from airflow_mlflow_provider.flow.graph import DecoratorSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.package import build_package
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.kubernetes_standin import KubernetesStandin
from tests.services.cluster import SharedCluster
from tests.services.s3 import S3Server
from tests.services.waiting import wait_until

POD = {"cpu": 0.1, "memory": 200, "disk": 100, "image": "step:1", "secrets": "s3"}


def in_pods(manifest: FlowManifest, s3_server: S3Server) -> FlowManifest:
    """The manifest with every step in a pod that reaches the S3 server."""
    pod = DecoratorSpec("kubernetes", POD)
    steps = {
        node.name: msgspec.structs.replace(node, decorators=(*node.decorators, pod))
        for node in manifest.graph
    }
    settings: dict[str, Any] = {
        "s3_endpoint_url": s3_server.environment()["AWS_ENDPOINT_URL"],
        "pod_deferrable": False,
    }
    graph = msgspec.structs.replace(manifest.graph, steps=steps)
    return msgspec.structs.replace(manifest, graph=graph, settings=settings)


def deployed_to_pods(
    manifest: FlowManifest, file: Path, cluster: KubernetesStandin, s3_server: S3Server
) -> FlowManifest:
    """The same with the flow's code in the store, and a cluster that is as new and has the store's credentials.

    Args:
        manifest: A flow whose store is on the S3 server.
        file: Its file.
        cluster: Where the pods are.
        s3_server: Where the store is.
    """
    clean(cluster, s3_server)
    return in_pods(packaged(manifest, file), s3_server)


def clean(cluster: KubernetesStandin, s3_server: S3Server) -> None:
    """Make the cluster as new, with the store's credentials in the secret ``s3``."""
    cluster.admin.reset()
    keys = {name: value for name, value in s3_server.environment().items() if "KEY" in name}
    api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))
    api.create_namespaced_secret("default", {"metadata": {"name": "s3"}, "stringData": keys})


def packaged(manifest: FlowManifest, file: Path) -> FlowManifest:
    """The manifest with the flow's code in the store, for machines that do not have its file."""
    package = build_package(file, with_runtime=True)
    store = open_store(manifest.store, cache=None)
    Ledger(store).put_code(package.digest, package.data)
    store.close()
    code = msgspec.structs.replace(
        manifest.code, digest=package.digest, script=package.script, source="package"
    )
    return msgspec.structs.replace(manifest, code=code)


@contextmanager
def out_of_memory(cluster: KubernetesStandin) -> Iterator[None]:
    """Have the pod that waits run out of memory."""
    die = _Waiting(cluster)

    def kill() -> None:
        name = wait_until(die.first, 120, "no pod waits")
        assert name is not None
        cluster.admin.out_of_memory(name)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()


@contextmanager
def each_out_of_memory(cluster: KubernetesStandin | SharedCluster) -> Iterator[None]:
    """Have every pod that waits run out of memory, as long as this lasts."""
    die, over = _Waiting(cluster), threading.Event()

    def kill() -> None:
        while not over.wait(0.5):
            if name := die.first():
                cluster.admin.out_of_memory(name)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Waiting:
    """Pods that have said that they are ready to die."""

    def __init__(self, cluster: KubernetesStandin | SharedCluster) -> None:
        self._api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))

    def first(self) -> str | None:
        """The name of one that runs."""
        pods = self._api.list_namespaced_pod("default").items
        running = (pod.metadata.name for pod in pods if pod.status.phase == "Running")
        return next((name for name in running if "ready to die" in self._log(name)), None)

    def _log(self, name: str) -> str:
        try:
            return str(self._api.read_namespaced_pod_log(name, "default"))
        except ApiException as error:
            if error.status not in (400, 404):  # its container has not started yet, or it is gone
                raise
            return ""
