"""Pods of a real Airflow: its scheduler, workers and triggerer, and what happens when they die."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config

from airflow_mlflow_provider.plan.manifest import FlowManifest
from tests.dag.deployed import Finished
from tests.operators.kubernetes.live import DeployInPods, pods_of
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.live, pytest.mark.kubernetes, pytest.mark.timeout(240)]

Deploy = Callable[[str, bool], FlowManifest]


@pytest.fixture
def deploy(deploy_in_pods: DeployInPods) -> Deploy:
    """Deploys the flow under an id, with its pods deferred or not."""
    return lambda dag_id, deferrable: deploy_in_pods("patient_flow", dag_id, deferrable)


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
