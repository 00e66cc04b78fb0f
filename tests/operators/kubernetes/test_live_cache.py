"""`@cache` on a real Airflow: of two runs that want one result, one computes it in a pod and the other waits for it."""

from __future__ import annotations

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config

from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished
from tests.operators.kubernetes.live import DeployInPods, pods_of
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.live, pytest.mark.kubernetes, pytest.mark.timeout(400)]

WAITING = "which computes the same result"


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_result_that_another_run_computes_is_waited_for_without_a_pod(
    live_airflow_sqlite: LiveAirflow,
    pod_cluster: SharedCluster,
    deploy_in_pods: DeployInPods,
    deferrable: bool,
) -> None:
    dag_id, api = f"wanted_{'deferred' if deferrable else 'followed'}", live_airflow_sqlite.api
    manifest = deploy_in_pods("wanted_flow", dag_id, deferrable)
    core = CoreV1Api(new_client_from_config(str(pod_cluster.kubeconfig)))
    signals = open_store(manifest.store.replace("/flows", "/signals"), cache=None)
    runs = [api.trigger(dag_id, conf={"signals": signals.url}, run_id=f"run-{n}") for n in range(2)]

    def pod_waits() -> bool:
        return any(
            WAITING in core.read_namespaced_pod_log(pod["last"]["metadata"]["name"], "default")
            for pod in pods_of(pod_cluster, dag_id)
            if not pod["deleted"] and pod["last"]["status"]["phase"] == "Running"
        )

    # Only the flow's code knows what a start step starts from, so that it waits in its pod.
    wait_until(pod_waits, 120, lambda: f"one start to wait for the other\n{api.report(dag_id, runs[0])}")
    signals.put("start", b"")

    def waiting() -> list[str]:
        begun = [run for run in runs if api.states(dag_id, run)["work"] in ("running", "deferred")]
        return [run for run in begun if WAITING in api.task_log(dag_id, run, "work")]

    (waits,) = wait_until(waiting, 120, lambda: f"one work to wait\n{api.report(dag_id, runs[0])}")
    if deferrable:
        wait_until(lambda: api.states(dag_id, waits)["work"] == "deferred", 60, "it waits without a worker")
    signals.put("work", b"")
    for run in runs:
        api.wait_for_run(dag_id, run, timeout=120)

    assert "Reused from the cache; no pod is needed." in api.task_log(dag_id, waits, "work")
    pods = [pod["created"]["metadata"]["annotations"] for pod in pods_of(pod_cluster, dag_id)]
    assert sorted(pod["airflow-mlflow-provider/steps"] for pod in pods) == ["start", "start", "work"]
    one, other = (Finished.of_dag_run(manifest, dag_id, run) for run in runs)
    assert one.artifact("start", "first") == other.artifact("start", "first")
    assert one.artifact("work", "second") == other.artifact("work", "second")
    assert not [item.key for item in one.ledger.store.list("cache") if "claim-" in item.key]
