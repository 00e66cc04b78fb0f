"""Pods of a real Airflow: its scheduler, workers and triggerer, and what happens when they die."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kubernetes.client import ApiException, CoreV1Api
from kubernetes.config import new_client_from_config

from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.runtime.package import build_package
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished, manifest_from
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.s3 import S3Server
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.live, pytest.mark.kubernetes, pytest.mark.timeout(240)]

FLOW = Path(__file__).parent / "patient_flow.py"
DAG_FILE = """
from airflow_mlflow_provider.dag import load_flow

dag = load_flow("{name}.json")
"""

Deploy = Callable[[str, bool], FlowManifest]


@pytest.fixture(scope="module", autouse=True)
def s3_secret(pod_cluster: SharedCluster, s3_server: S3Server) -> None:
    """The Kubernetes secret that the flow's pods read their S3 keys from."""
    keys = {name: value for name, value in s3_server.environment().items() if "KEY" in name}
    api = CoreV1Api(new_client_from_config(str(pod_cluster.kubeconfig)))
    try:
        api.create_namespaced_secret("default", {"metadata": {"name": "s3"}, "stringData": keys})
    except ApiException as error:  # A worker of this test run was quicker.
        if error.status != 409:
            raise


@pytest.fixture
def deploy(live_airflow_sqlite: LiveAirflow, s3_bucket: str) -> Deploy:
    """Deploys the flow under an id, with its pods deferred or not."""

    def deployed(dag_id: str, deferrable: bool) -> FlowManifest:
        package = build_package(FLOW, with_runtime=True)
        manifest = manifest_from(FLOW, f"s3://{s3_bucket}/flows")
        store = open_store(manifest.store, cache=None)
        Ledger(store).put_code(package.digest, package.data)
        store.close()
        code = msgspec.structs.replace(
            manifest.code, digest=package.digest, script=package.script, source="package"
        )
        manifest = msgspec.structs.replace(
            manifest, dag_id=dag_id, code=code, settings={"pod_deferrable": deferrable}
        )
        (live_airflow_sqlite.dags_folder / f"{dag_id}.json").write_bytes(encode(manifest))
        live_airflow_sqlite.add_dag(dag_id, DAG_FILE.format(name=dag_id))
        return manifest

    return deployed


def pods_of(cluster: SharedCluster, dag_id: str) -> list[dict[str, Any]]:
    """Every pod that a DAG ever had, first and last seen."""
    annotation = "airflow-mlflow-provider/dag-id"
    return [
        each
        for each in cluster.admin.pods()
        if each["created"]["metadata"]["annotations"][annotation] == dag_id
    ]


def begun(cluster: SharedCluster, dag_id: str) -> None:
    """Wait until the step's own code runs in a pod."""
    api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))

    def says_so() -> bool:
        return any(
            "the step begins" in api.read_namespaced_pod_log(pod["last"]["metadata"]["name"], "default")
            for pod in pods_of(cluster, dag_id)
            if not pod["deleted"] and pod["last"]["status"]["phase"] == "Running"
        )

    wait_until(says_so, 90, "the step runs in a pod")


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_long_step_runs_in_a_pod(
    live_airflow_sqlite: LiveAirflow, pod_cluster: SharedCluster, deploy: Deploy, deferrable: bool
) -> None:
    manifest = deploy(f"long_{'deferred' if deferrable else 'followed'}", deferrable)
    run_id = live_airflow_sqlite.api.trigger(manifest.dag_id, conf={"seconds": 8})
    if deferrable:
        wait_until(
            lambda: live_airflow_sqlite.api.states(manifest.dag_id, run_id)["start"] == "deferred",
            90,
            "start is deferred",
        )
    live_airflow_sqlite.api.wait_for_run(manifest.dag_id, run_id, timeout=120)
    found = Finished.of_dag_run(manifest, manifest.dag_id, run_id)
    assert found.artifact("start", "slept") == 8
    assert found.status == "succeeded"
    log = live_airflow_sqlite.api.task_log(manifest.dag_id, run_id, "start")
    assert log.count("the step begins") == 1
    assert log.count("the step ends") == 1
    (pod,) = pods_of(pod_cluster, manifest.dag_id)
    assert pod["deleted"]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_task_set_to_failed_takes_its_pod_with_it(
    live_airflow_sqlite: LiveAirflow, pod_cluster: SharedCluster, deploy: Deploy, deferrable: bool
) -> None:
    manifest = deploy(f"killed_{'deferred' if deferrable else 'followed'}", deferrable)
    run_id = live_airflow_sqlite.api.trigger(manifest.dag_id, conf={"seconds": 100})
    begun(pod_cluster, manifest.dag_id)
    state = "deferred" if deferrable else "running"
    wait_until(
        lambda: live_airflow_sqlite.api.states(manifest.dag_id, run_id)["start"] == state,
        90,
        f"start is {state}",
    )
    if deferrable:
        # A trigger that was never started cannot delete anything: it must have looked at the pod.
        seen = len(pod_cluster.admin.requests(verb="get", resource="pods"))
        wait_until(
            lambda: len(pod_cluster.admin.requests(verb="get", resource="pods")) > seen,
            60,
            "the triggerer sees the pod",
        )
    live_airflow_sqlite.api.set_task_state(manifest.dag_id, run_id, "start", "failed")
    wait_until(
        lambda: all(pod["deleted"] for pod in pods_of(pod_cluster, manifest.dag_id)),
        60,
        lambda: (
            f"the pod to be deleted; the triggerer says:\n{live_airflow_sqlite.log_tail('triggerer', 40)}"
        ),
    )
    live_airflow_sqlite.api.wait_for_run(manifest.dag_id, run_id, expected="failed")
    found = Finished.of_dag_run(manifest, manifest.dag_id, run_id)
    assert found.ledger.newest_done(found.flow, found.run, "start", "0") is None


def test_a_retry_takes_over_the_pod_of_a_worker_that_was_killed(
    live_airflow_sqlite: LiveAirflow, pod_cluster: SharedCluster, deploy: Deploy
) -> None:
    manifest = deploy("worker_killed", False)
    run_id = live_airflow_sqlite.api.trigger(manifest.dag_id, conf={"seconds": 12})
    begun(pod_cluster, manifest.dag_id)
    (instance,) = [
        each
        for each in live_airflow_sqlite.api.task_instances(manifest.dag_id, run_id)
        if each.task_id == "start"
    ]
    os.kill(instance.details["pid"], signal.SIGKILL)
    live_airflow_sqlite.api.wait_for_run(manifest.dag_id, run_id, timeout=180)
    (instance,) = [
        each
        for each in live_airflow_sqlite.api.task_instances(manifest.dag_id, run_id)
        if each.task_id == "start"
    ]
    assert instance.details["try_number"] == 2
    assert len(pods_of(pod_cluster, manifest.dag_id)) == 1
    found = Finished.of_dag_run(manifest, manifest.dag_id, run_id)
    assert found.artifact("start", "slept") == 12
    assert found.attempts("start", "0") == [0]
