"""B11: a trivial step in a pod, against a stock `KubernetesPodOperator`; on the stand-in, which starts a pod at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.bench.airflow_side import deploy_copy, seconds_of_run
from tests.bench.bench import BUILD, Bench
from tests.bench.outcome import Figure, at_most
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.s3 import S3Server

_TIMES = 0.35
_IMAGE = "step:1"
_BY_HAND = f"""
    from airflow.sdk import DAG
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    with DAG("pod_by_hand", schedule=None):
        KubernetesPodOperator(task_id="only", image="{_IMAGE}", cmds=["python", "-c", "print(1)"])
"""


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with the operator as it comes, its defaults untouched."""
    with (
        S3Server() as server,
        SharedCluster(BUILD / "cluster", server.environment()) as cluster,
        LiveAirflow(
            environment={
                **server.environment(),
                "AIRFLOW_CONN_KUBERNETES_DEFAULT": cluster.airflow_connection,
            }
        ) as airflow,
    ):
        airflow.add_dag("pod_by_hand", _BY_HAND)
        settings = {
            **server.environment(),
            "AIRFLOW__MLFLOW_PROVIDER__DEFAULT_COMPUTE": "kubernetes",
            "AIRFLOW__MLFLOW_PROVIDER__KUBERNETES_IMAGE": _IMAGE,
        }
        flow = bench.side("ours").flow("single")
        deploy_copy(flow, airflow, "Single", f"s3://{server.bucket()}/flows", settings)
        for dag_id in ("Single", "pod_by_hand"):
            seconds_of_run(airflow, dag_id)
        # Nothing is compared that did not run in pods.
        owners = {pod["created"]["metadata"]["labels"]["dag_id"] for pod in cluster.admin.pods()}
        assert owners == {"Single", "pod_by_hand"}, json.dumps(sorted(owners))
        samples = bench.alternate(
            lambda: seconds_of_run(airflow, "Single"), lambda: seconds_of_run(airflow, "pod_by_hand")
        )
    yield at_most("B11", "a trivial step in a pod, on the stand-in", samples, _TIMES)
