"""The reference runs, and an Airflow whose steps are pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parity.cluster import SharedCluster
from tests.parity.flows_under_test import FlowUnderTest
from tests.parity.reading import Task, read_run
from tests.parity.ways import run_locally
from tests.services.airflow import LiveAirflow
from tests.services.s3 import S3Server

Reference = Callable[[FlowUnderTest], dict[str, Task]]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What a flow gives locally on a folder; run once for each test process."""
    known: dict[str, dict[str, Task]] = {}

    def run(flow: FlowUnderTest) -> dict[str, Task]:
        if flow.name not in known:
            folder = tmp_path_factory.mktemp(flow.name)
            store = (folder / "store").as_uri()
            known[flow.name] = read_run(store, flow.name, run_locally(flow, store, folder))
        return known[flow.name]

    return run


@pytest.fixture(scope="session")
def pod_cluster(services_directory: Path, s3_server: S3Server) -> Iterator[SharedCluster]:
    """A Kubernetes stand-in that all workers share; its images have the S3 credentials."""
    with SharedCluster(services_directory / "cluster-parity", s3_server.environment()) as cluster:
        yield cluster
        assert cluster.admin.faults_of_the_standin() == []


@pytest.fixture(scope="session")
def live_airflow_pods(
    services_directory: Path, s3_server: S3Server, pod_cluster: SharedCluster
) -> Iterator[LiveAirflow]:
    """An Airflow on SQLite that reaches that cluster."""
    environment = {
        **s3_server.environment(),
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": pod_cluster.airflow_connection,
    }
    with LiveAirflow(services_directory / "airflow-pods", environment=environment) as airflow:
        yield airflow
