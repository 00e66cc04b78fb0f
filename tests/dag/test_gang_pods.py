"""A gang whose nodes are pods: Airflow's dependency rules, a strict API server that runs the pods, a real S3 server."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.flow.graph import DecoratorSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest
from tests.dag.deployed import FLOWS, Finished, deploy
from tests.dag.pods import deployed_to_pods, out_of_memory
from tests.kubernetes_standin import KubernetesStandin
from tests.services.dag_test import run_dag
from tests.services.s3 import S3Server
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(300)]

RETRY = DecoratorSpec("retry", {"times": 1, "minutes_between_retries": 0})


@pytest.fixture
def flow(
    cluster: KubernetesStandin, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> FlowManifest:
    """A flow with a gang of three, deployed to pods."""
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", cluster.airflow_connection)
    manifest = deploy("gang_in_pods", f"s3://{s3_bucket}/flows")
    return deployed_to_pods(manifest, FLOWS / "gang_in_pods.py", cluster, s3_server)


def uncaught(flow: FlowManifest, *decorators: DecoratorSpec) -> FlowManifest:
    """The flow without @catch, and with other decorators, on the gang's step."""
    node = flow.graph["train"]
    kept = tuple(each for each in node.decorators if each.name != "catch")
    train = msgspec.structs.replace(node, decorators=(*kept, *decorators))
    graph = msgspec.structs.replace(flow.graph, steps={**flow.graph.steps, "train": train})
    return msgspec.structs.replace(flow, graph=graph)


def pods_of_gang(cluster: KubernetesStandin) -> list[dict[str, Any]]:
    """The pods of the gang's nodes, oldest first."""
    label = "airflow-mlflow-provider/node"
    return [pod for pod in cluster.admin.pods() if label in pod["created"]["metadata"]["labels"]]


@pytest.mark.parametrize(
    "deferrable", [pytest.param(False, marks=pytest.mark.slow), True], ids=["worker", "triggerer"]
)
def test_the_nodes_are_pods_that_know_the_address_of_the_first(
    flow: FlowManifest, cluster: KubernetesStandin, deferrable: bool
) -> None:
    manifest = msgspec.structs.replace(flow, settings={**flow.settings, "pod_deferrable": deferrable})
    found = Finished.of(manifest, run_dag(build_dag(manifest)))
    assert found.artifact("end", "places") == [(3, node, "0000", 0) for node in range(3)]
    pods = pods_of_gang(cluster)
    assert len(pods) == 3
    (first,) = [
        pod for pod in pods if pod["created"]["metadata"]["labels"]["airflow-mlflow-provider/node"] == "0"
    ]
    address = first["last"]["status"]["podIP"]
    assert found.artifact("end", "mains") == [address] * 3
    assert found.artifact("end", "told") == [
        {
            "MF_PARALLEL_MAIN_IP": address,
            "MF_PARALLEL_NUM_NODES": "3",
            "MF_PARALLEL_NODE_INDEX": str(node),
            "MF_PARALLEL_CONTROL_TASK_ID": "0000",
        }
        for node in range(3)
    ]
    assert all(pod["deleted"] for pod in pods)


def test_a_node_that_fails_stops_the_others_and_all_are_tried_again(
    flow: FlowManifest, cluster: KubernetesStandin
) -> None:
    manifest = uncaught(flow, RETRY)
    found = Finished.of(manifest, run_dag(build_dag(manifest), {"failing": 1, "attempts": 1}))
    assert found.artifact("end", "places") == [(3, node, "0000", 1) for node in range(3)]
    assert len(pods_of_gang(cluster)) == 6


@pytest.mark.slow
def test_a_node_that_dies_fails_the_gang_and_says_so(
    flow: FlowManifest, cluster: KubernetesStandin, capfd: pytest.CaptureFixture[str]
) -> None:
    with out_of_memory(cluster):
        run = run_dag(build_dag(uncaught(flow)), {"failing": 2, "dies": True}, expected="failed")
    assert (run.states["train"], run.states["join"]) == ("failed", "upstream_failed")
    assert "OOMKilled" in "".join(capfd.readouterr())
    wait_until(lambda: all(pod["deleted"] for pod in pods_of_gang(cluster)), 40, "the other pods are ended")


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_catch_stands_in_for_the_nodes_that_failed_or_were_stopped(
    flow: FlowManifest, cluster: KubernetesStandin, dies: bool
) -> None:
    if dies:
        with out_of_memory(cluster):
            run = run_dag(build_dag(flow), {"failing": 0, "dies": True})
    else:
        run = run_dag(build_dag(flow), {"failing": 0})
    found = Finished.of(flow, run)
    assert found.artifact("end", "places") == [None, None, None]
    error = found.artifact("train", "error", "0000")
    assert "FailureHandledByCatch" in error.type if dies else error.type.endswith("ValueError")
