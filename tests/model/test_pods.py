"""Some of the shapes with a pod for each step, on a real Airflow and a strict API server that runs the pods: whole, with failures of
the user's code, and with pods that run out of memory.

All runs are started at once; each test then waits for one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from kubernetes.client import ApiException, CoreV1Api
from kubernetes.config import new_client_from_config

from airflow_mlflow_provider.plan.manifest import FlowManifest
from tests.dag.pods import each_out_of_memory, in_pods, packaged
from tests.model.deploying import shape_manifest
from tests.model.failures import fault
from tests.model.live_cases import Case, agrees, put_and_start
from tests.services.airflow import LiveAirflow
from tests.services.cluster import SharedCluster
from tests.services.s3 import S3Server

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.kubernetes, pytest.mark.timeout(1800)]

_SHAPES = (
    "linear",
    "branch",
    "foreach",
    "nested_foreach",
    "switch_in_foreach",
    "recursion_in_foreach",
    "gang",
)
_FAILURES = (
    ("linear", fault("middle", "0", "pod", "retried")),
    ("branch", fault("left", "0", "timeout", "caught")),
    ("foreach", fault("more", "0002", "pod", "caught")),
    ("nested_foreach", fault("three", "0001-0001-0000", "kill", "none")),
    ("switch_in_foreach", fault("choose", "0002", "exception", "retried")),
    ("recursion_in_foreach", fault("again", "0001-i0001", "pod", "retried")),
    ("recursion", fault("again", "i0002", "exception", "none")),
    ("gang", fault("train", "0002", "kill", "retried")),
)
CASES = {
    case.name: case
    for case in (
        *(Case(shape, suffix="Pods") for shape in _SHAPES),
        *(Case(shape, broken, suffix="Pods") for shape, broken in _FAILURES),
    )
}


@pytest.fixture(scope="module")
def started(
    live_airflow_sqlite: LiveAirflow,
    pod_cluster: SharedCluster,
    s3_server: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Mapping[str, FlowManifest]]:
    """The runs of all cases that were asked for, under way."""
    _put_secret(pod_cluster, s3_server)
    bucket, folder = s3_server.bucket(), tmp_path_factory.mktemp("model-pods")
    wanted = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment().items():
            patch.setenv(name, value)
        manifests = {
            name: _manifest(CASES[name], folder / name, f"s3://{bucket}/flows", s3_server) for name in wanted
        }
        put_and_start(live_airflow_sqlite, manifests)
        with each_out_of_memory(pod_cluster):
            yield manifests


@pytest.mark.parametrize("name", CASES)
def test_a_run_in_pods_does_what_the_model_says(
    name: str, started: Mapping[str, FlowManifest], live_airflow_sqlite: LiveAirflow
) -> None:
    agrees(live_airflow_sqlite, started[name], CASES[name])


def _manifest(case: Case, folder: Path, store: str, s3_server: S3Server) -> FlowManifest:
    plain = shape_manifest(
        case.flow, case.fault, case.flow_name, folder, store=store, limit_seconds=case.limit_seconds
    )
    manifest = in_pods(packaged(plain, Path(plain.code.path)), s3_server)
    settings = {**manifest.settings, "pod_deferrable": True}
    return msgspec.structs.replace(manifest, dag_id=case.name, settings=settings)


def _put_secret(cluster: SharedCluster, s3_server: S3Server) -> None:
    keys = {name: value for name, value in s3_server.environment().items() if "KEY" in name}
    api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))
    try:
        api.create_namespaced_secret("default", {"metadata": {"name": "s3"}, "stringData": keys})
    except ApiException as error:  # a test before this one has put it there
        if error.status != 409:
            raise
