"""RESOURCES and CONDA of the orchestrator kit: where a step runs, and which packages it has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.capabilities.deployed import Deployments, data
from tests.services.cluster import SharedCluster

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.kubernetes
def test_resources(pods: Deployments, pod_cluster: SharedCluster) -> None:
    deployed = pods.deploy("basic/resources_flow.py")
    pods.run(deployed)
    asked = {pod["step"]: pod["resources"] for pod in _pods(pod_cluster, deployed.name)}
    assert asked["start"]["requests"] == {"cpu": "2", "memory": "800M", "ephemeral-storage": "200M"}
    assert asked["end"]["requests"]["cpu"] == "1500m"
    assert asked["end"]["requests"]["memory"] == "4096M", "the larger of 300 and the default of @kubernetes"


def test_resources_are_recorded_where_steps_run_in_workers(workers: Deployments) -> None:
    # A flow whose steps say @kubernetes runs in pods whatever the default is; --with puts @resources on any.
    deployed = workers.deploy("basic/linear_flow.py", decospecs=["resources:cpu=2,memory=500"])
    run = workers.run(deployed)
    (found,) = [
        decorator
        for decorator in data(run, "start")._graph_info["steps"]["middle"]["decorators"]
        if decorator["name"] == "resources"
    ]
    assert (found["attributes"]["cpu"], found["attributes"]["memory"]) == (2, 500)


def test_conda(deployments: Deployments) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)D007.*@conda.*@pypi"):
        deployments.deploy("basic/conda_flow.py")
    run = deployments.run(deployments.deploy("basic/helloconda.py", environment="pypi"))
    assert data(run, "end").versions == ["2024.11.6", "2023.12.25", "2024.11.6", "2024.11.6"]


def _pods(cluster: SharedCluster, dag_id: str) -> list[dict[str, Any]]:
    found = []
    for pod in cluster.admin.pods():
        metadata = pod["created"]["metadata"]
        if metadata["annotations"].get("airflow-mlflow-provider/dag-id") == dag_id:
            step = metadata["labels"]["airflow-mlflow-provider/step"]
            found.append({"step": step, "resources": pod["created"]["spec"]["containers"][0]["resources"]})
    return found
