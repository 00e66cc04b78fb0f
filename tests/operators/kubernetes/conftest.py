"""A cluster for pods, and units whose code is a program that the test gives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from airflow_mlflow_provider.operators.kubernetes import GangUnit, PodUnit
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.code_packages import stub_package
from tests.kubernetes_standin import KubernetesStandin
from tests.operators.kubernetes import flows, live
from tests.operators.kubernetes.live import DeployInPods
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.s3 import S3Server

# Stands in for the runtime: runs what the request says is Airflow's log URL.
_UNIT = """
import json, sys
request = json.loads(sys.argv[1])
exec(request["airflow"]["log_url"])
"""

Unit = Callable[..., PodUnit]
Gang = Callable[..., GangUnit]


@pytest.fixture(scope="session")
def _shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesStandin]:
    with KubernetesStandin(tmp_path_factory.mktemp("cluster"), capacity={"nvidia.com/gpu": "4"}) as cluster:
        yield cluster


@pytest.fixture
def cluster(_shared_cluster: KubernetesStandin, monkeypatch: pytest.MonkeyPatch) -> KubernetesStandin:
    """A cluster as new, which Airflow's default Kubernetes connection leads to."""
    _shared_cluster.admin.reset()
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", _shared_cluster.airflow_connection)
    return _shared_cluster


@pytest.fixture
def core_v1(cluster: KubernetesStandin) -> Any:
    """The official client of the cluster."""
    from kubernetes.client import CoreV1Api
    from kubernetes.config import new_client_from_config

    return CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))


@pytest.fixture
def deploy_in_pods(
    live_airflow_sqlite: LiveAirflow, pod_cluster: SharedCluster, s3_server: S3Server, s3_bucket: str
) -> DeployInPods:
    """Deploys a flow to the live Airflow: ``deploy_in_pods("patient_flow", "its_dag_id", deferrable)``."""
    from kubernetes.client import ApiException, CoreV1Api
    from kubernetes.config import new_client_from_config

    # The secret that the flow's pods read their S3 keys from.
    keys = {name: value for name, value in s3_server.environment().items() if "KEY" in name}
    api = CoreV1Api(new_client_from_config(str(pod_cluster.kubeconfig)))
    try:
        api.create_namespaced_secret("default", {"metadata": {"name": "s3"}, "stringData": keys})
    except ApiException as error:  # Another test was quicker.
        if error.status != 409:
            raise
    return partial(live.deploy_in_pods, live_airflow_sqlite, f"s3://{s3_bucket}/flows")


@dataclass
class Task:
    """A task instance of Airflow as far as a pod needs one: an operator whose log can be read, and a context."""

    lines: list[str] = field(default_factory=list)

    def operator(self) -> BaseOperator:
        """An operator that keeps what it logs."""
        operator = BaseOperator(task_id="train")
        logger = logging.Logger("task")  # noqa: LOG001 - one of its own for each task
        logger.addHandler(_Keeping(self.lines))
        operator._cached_logger = logger  # type: ignore[assignment]
        return operator


class _Keeping(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@pytest.fixture
def task() -> Task:
    """The task that the units of :func:`unit` belong to."""
    return Task()


@pytest.fixture
def unit(cluster: KubernetesStandin, core_v1: Any, s3_server: S3Server, s3_bucket: str, task: Task) -> Unit:
    """Makes units whose pod runs a program: ``unit("print(1)", cpu=2, settings={…}, request={…}, try_number=2)``."""
    arguments = _arguments(core_v1, s3_server, s3_bucket, task)
    return lambda program, **how: PodUnit(**arguments(program, **how))


@pytest.fixture
def gang(cluster: KubernetesStandin, core_v1: Any, s3_server: S3Server, s3_bucket: str, task: Task) -> Gang:
    """Makes gangs whose pods run a program, which finds its index as ``request["node"]``: ``gang("print(1)", size=3, …)``."""
    arguments = _arguments(core_v1, s3_server, s3_bucket, task)
    ledger = Ledger(open_store(f"s3://{s3_bucket}/flows"))
    return lambda program, size, **how: GangUnit(size=size, ledger=ledger, **arguments(program, **how))


def _arguments(
    core_v1: Any, s3_server: S3Server, s3_bucket: str, task: Task
) -> Callable[..., dict[str, Any]]:
    url = f"s3://{s3_bucket}/flows"
    digest = _store_code(url)
    keys = {name: value for name, value in s3_server.environment().items() if "KEY" in name}
    core_v1.create_namespaced_secret("default", {"metadata": {"name": "s3"}, "stringData": keys})

    def make(
        program: str,
        *,
        settings: dict[str, Any] | None = None,
        request: dict[str, Any] | None = None,
        decorators: dict[str, dict[str, Any]] | None = None,
        try_number: int = 1,
        asks_airflow: dict[str, str] | None = None,
        **attributes: Any,
    ) -> dict[str, Any]:
        given = {"cpu": 0.1, "memory": 100, "disk": 100, "image": "step:1", "secrets": "s3", **attributes}
        node = flows.step(kubernetes=given, **(decorators or {}))
        wanted = flows.request(url, **{"airflow": {"log_url": program}, **(request or {})})
        return {
            "step": node,
            "manifest": flows.manifest(node, url, digest, **(settings or {})),
            "request": wanted,
            "operator": task.operator(),
            "context": flows.context(try_number),
            "secrets": asks_airflow,
        }

    return make


def _store_code(url: str) -> str:
    digest, data = stub_package(_UNIT)
    store = open_store(url, cache=None)
    store.put(f"code/{digest}.tar.zst", data)
    store.close()
    return digest
