"""One stand-in for all tests of a worker process; each test finds it empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, close


@pytest.fixture(scope="session")
def shared_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesStandin]:
    """Started once."""
    directory: Path = tmp_path_factory.mktemp("standin")
    with KubernetesStandin(
        directory, node_labels={"disk": "fast"}, capacity={"nvidia.com/gpu": "2"}
    ) as standin:
        yield standin


@pytest.fixture
def standin(shared_standin: KubernetesStandin) -> Iterator[KubernetesStandin]:
    """Without pods, objects, requests or faults of earlier tests; a fault of the stand-in itself fails the test."""
    shared_standin.admin.reset()
    yield shared_standin
    assert shared_standin.admin.faults_of_the_standin() == []


@pytest.fixture(scope="session")
def _shared_client(shared_standin: KubernetesStandin) -> Iterator[Any]:
    api_client = config.new_client_from_config(str(shared_standin.kubeconfig))
    yield api_client
    close(api_client)


@pytest.fixture
def api_client(standin: KubernetesStandin, _shared_client: Any) -> Any:
    """The official client with all rights, and a cluster as new."""
    return _shared_client


@pytest.fixture
def core(api_client: Any) -> Any:
    """``CoreV1Api``."""
    return client.CoreV1Api(api_client)


@pytest.fixture
def batch(api_client: Any) -> Any:
    """``BatchV1Api``."""
    return client.BatchV1Api(api_client)


@pytest.fixture
def pods(core: Any) -> Pods:
    """Shorthand for pods in the namespace ``default``."""
    return Pods(core)
