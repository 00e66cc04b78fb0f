"""Flows of this folder deployed to the live Airflow, with their steps in pods of the shared cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.runtime.package import build_package
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import manifest_from
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster

DAG_FILE = """
from airflow_mlflow_provider.dag import load_flow

dag = load_flow("{name}.json")
"""

DeployInPods = Callable[[str, str, bool], FlowManifest]


def deploy_in_pods(
    airflow: LiveAirflow, store: str, name: str, dag_id: str, deferrable: bool
) -> FlowManifest:
    """Deploy the flow of a file here under an id, its code as a package, its pods deferred or not."""
    file = Path(__file__).parent / f"{name}.py"
    package = build_package(file, with_runtime=True)
    manifest = manifest_from(file, store)
    opened = open_store(manifest.store, cache=None)
    Ledger(opened).put_code(package.digest, package.data)
    opened.close()
    code = msgspec.structs.replace(
        manifest.code, digest=package.digest, script=package.script, source="package"
    )
    manifest = msgspec.structs.replace(
        manifest, dag_id=dag_id, code=code, settings={"pod_deferrable": deferrable}
    )
    (airflow.dags_folder / f"{dag_id}.json").write_bytes(encode(manifest))
    airflow.add_dag(dag_id, DAG_FILE.format(name=dag_id))
    return manifest


def pods_of(cluster: SharedCluster, dag_id: str) -> list[dict[str, Any]]:
    """Every pod that a DAG ever had, first and last seen."""
    annotation = "airflow-mlflow-provider/dag-id"
    return [
        each
        for each in cluster.admin.pods()
        if each["created"]["metadata"]["annotations"][annotation] == dag_id
    ]
