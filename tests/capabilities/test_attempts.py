"""RETRY, CATCH and TIMEOUT of the orchestrator kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config

from airflow_mlflow_provider.exception import TimeoutException
from airflow_mlflow_provider.runner import AirflowDeployedFlow
from tests.capabilities.deployed import Deployments, data
from tests.services.cluster import SharedCluster
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


def test_retry(deployments: Deployments) -> None:
    deployed = deployments.deploy("basic/retry_flow.py")
    started = deployed.trigger()
    run = deployments.ended(started)
    task = run["flaky"].task
    assert task is not None
    assert task.data.attempts == 1
    assert task.current_attempt == 1
    api = deployments.airflow.api
    api.clear(started.dag_id, started.dag_run_id, ["flaky"], downstream=True)
    api.wait_for_run(started.dag_id, started.dag_run_id, timeout=240)
    again = deployments.ended(started)["flaky"].task
    assert again is not None
    assert again.data.attempts == 1, "a cleared task has a fresh budget"
    assert again.current_attempt == 3, "and its attempts have numbers of their own"


@pytest.mark.parametrize(
    ("way", "kind", "said"),
    [
        ("raise", "ValueError", "caught on purpose"),
        pytest.param("kill", "FailureHandledByCatch", "SIGKILL", marks=[pytest.mark.slow]),
    ],
)
def test_catch(deployments: Deployments, way: str, kind: str, said: str) -> None:
    run = deployments.run(deployments.deploy("basic/catch_flow.py"), way=way)
    assert run.successful
    task = run["risky"].task
    assert task is not None
    assert (task.finished, task.successful) == (True, False)
    problem = task.data.problem
    assert problem.type.rpartition(".")[2] == kind
    assert said in str(problem)
    assert data(run, "end").went_on


@pytest.mark.slow
@pytest.mark.kubernetes
@pytest.mark.parametrize(("order", "said"), [("out_of_memory", "OOMKilled"), ("evict", "Evicted")])
def test_catch_of_a_pod_that_is_taken_away(
    pods: Deployments, pod_cluster: SharedCluster, order: str, said: str
) -> None:
    deployed = pods.deploy("basic/catch_flow.py")
    started = deployed.trigger(way="wait")
    pod = _waiting_pod(pod_cluster, deployed)
    take: Callable[[str], Any] = getattr(pod_cluster.admin, order)
    take(pod)
    run = pods.ended(started)
    problem = data(run, "risky").problem
    assert problem.type.rpartition(".")[2] == "FailureHandledByCatch"
    assert said in str(problem)
    assert data(run, "end").went_on


def test_timeout(deployments: Deployments) -> None:
    deployed = deployments.deploy("basic/timeout_flow.py")
    run = deployments.run(deployed, "Failed")
    task = run["slow"].task
    assert task is not None
    assert not task.finished
    assert task.exception is not None
    assert task.exception.type.rpartition(".")[2] == TimeoutException.__name__
    assert "3 s" in str(task.exception)
    limit = deployments.airflow.api.request("GET", f"/dags/{deployed.name}/tasks/start")["execution_timeout"]
    assert 86400 * limit["days"] + limit["seconds"] > 3600 + 2 * 60 + 3


@pytest.mark.slow
def test_timeout_of_a_step_that_blocks_signals(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__TIMEOUT_GRACE_S", "2")
    deployed = deployments.deploy("basic/timeout_flow.py")
    run = deployments.run(deployed, "Failed", blocks=True)
    task = run["slow"].task
    assert task is not None
    assert task.exception is not None
    assert task.exception.type.rpartition(".")[2] == TimeoutException.__name__


def _waiting_pod(cluster: SharedCluster, deployed: AirflowDeployedFlow) -> str:
    """The pod in which the step waits for its end."""
    api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))
    found: list[str] = []

    def waits() -> bool:
        for pod in cluster.admin.pods():
            metadata = pod["last"]["metadata"]
            if (
                metadata["annotations"].get("airflow-mlflow-provider/dag-id") != deployed.name
                or pod["deleted"]
            ):
                continue
            if pod["last"]["status"]["phase"] == "Running" and "waits for its end" in str(
                api.read_namespaced_pod_log(metadata["name"], "default")
            ):
                found.append(metadata["name"])
        return bool(found)

    wait_until(waits, 120, "the step to wait in a pod")
    return found[0]
