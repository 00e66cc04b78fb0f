"""Flows and hand-written DAGs on one live Airflow, for benchmarks."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.bench.bench import BUILD, FlowCopy, Side
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.s3 import S3Server

_RUN_SECONDS = 600.0
# What stands for the image of each pod.
IMAGE = "step:1"


class PodSite(NamedTuple):
    """An Airflow whose steps are pods of the stand-in.

    Attributes:
        store: URL of a store on S3.
        settings: Variables for the command that deploys a flow.
    """

    airflow: LiveAirflow
    cluster: SharedCluster
    store: str
    settings: dict[str, str]


@contextmanager
def pod_site() -> Iterator[PodSite]:
    """Start one. Its scheduler imports the pod operator for its workers, as at a site whose steps are pods."""
    in_pods = {"AIRFLOW__MLFLOW_PROVIDER__DEFAULT_COMPUTE": "kubernetes"}
    with S3Server() as server, SharedCluster(BUILD / "cluster", server.environment()) as cluster:
        connection = {"AIRFLOW_CONN_KUBERNETES_DEFAULT": cluster.airflow_connection}
        with LiveAirflow(environment={**server.environment(), **connection, **in_pods}) as airflow:
            image = {"AIRFLOW__MLFLOW_PROVIDER__KUBERNETES_IMAGE": IMAGE}
            settings = {**server.environment(), **in_pods, **image}
            yield PodSite(airflow, cluster, f"s3://{server.bucket()}/flows", settings)


def deploy(side: Side, airflow: LiveAirflow, name: str, source: str, *options: str) -> None:
    """Deploy a flow by `airflow create`, under the name of its class; its artifacts go into a folder of that Airflow."""
    flow = side.flow("linear")
    (flow.folder / flow.script).write_text(source, "utf-8")
    deploy_copy(flow, airflow, name, str(airflow.home / "flow-store"), options=options)


def deploy_copy(
    flow: FlowCopy,
    airflow: LiveAirflow,
    name: str,
    store: str,
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> None:
    """Deploy the copy of a flow, and remove the copy.

    Args:
        flow: The copy.
        airflow: Where to.
        name: Name of the flow's class.
        store: Folder or URL of the store.
        settings: More variables for the command.
        options: Options of `airflow create`.
    """
    environment = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true", **(settings or {})}
    built = flow.folder / f"{name}.py"
    create = ("airflow", "create", str(built), *options)
    flow.seconds("--datastore-root", store, *create, environment=environment)
    for manifest in flow.folder.glob("*.json"):
        shutil.copy(manifest, airflow.dags_folder / manifest.name)
    airflow.add_dag(name, built.read_text("utf-8"))
    flow.remove()


def seconds_of_run(
    airflow: LiveAirflow,
    dag_id: str,
    conf: Mapping[str, Any] | None = None,
    timeout: float = _RUN_SECONDS,
) -> float:
    """Seconds from the start of a DAG run to its end, by Airflow's own account.

    Raises:
        AssertionError: The run failed, or did not end in time.
    """
    run_id = airflow.api.trigger(dag_id, conf)
    airflow.api.wait_for_run(dag_id, run_id, timeout=timeout)
    run = airflow.api.run(dag_id, run_id)
    start, end = (datetime.datetime.fromisoformat(run[key]) for key in ("start_date", "end_date"))
    return (end - start).total_seconds()
