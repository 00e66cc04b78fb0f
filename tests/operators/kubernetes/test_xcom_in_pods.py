"""`@task.kubernetes` with our XCom backend: results through Airflow's sidecar, arguments by reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.xcom.artifact_store import value_store
from airflow_mlflow_provider.xcom.lazy import as_reference
from tests.kubernetes_standin import KubernetesStandin
from tests.services.dag_test import run_dag
from tests.services.parts import use_backend
from tests.services.s3 import S3Server

if TYPE_CHECKING:
    from airflow.sdk import DAG

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.slow,
    # The provider leaves the sockets of its clients and exec sessions to the garbage collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <(ssl.SSLSocket|socket.socket):pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]  # fmt: skip

ROWS = 40_000


@pytest.fixture
def bucket(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The bucket that XComs go to."""
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", f"s3://{s3_bucket}/store")
    use_backend(monkeypatch)
    value_store.cache_clear()
    yield s3_bucket
    value_store.cache_clear()


def a_dag(environment: dict[str, str]) -> DAG:
    from airflow.sdk import dag, task

    pod: dict[str, Any] = {
        "image": "step:1",
        "env_vars": environment,
        "startup_check_interval_seconds": 0.1,
        "base_container_status_polling_interval": 0.1,
        "deferrable": False,
        "do_xcom_push": True,
    }

    @task
    def array() -> Any:
        return np.arange(ROWS)

    @task
    def small() -> list[int]:
        return [1, 2, 3]

    @task.kubernetes(**pod)
    def squares(reference, few):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - its source is all the pod gets
        from airflow_mlflow_provider.xcom.reference import load

        values = load(reference)
        assert type(reference).__name__ == "ArtifactReference"
        return {"many": [float(value) for value in values[:20_000]], "few": load(few)}

    @task
    def total(found: Any) -> float:
        return float(sum(found["many"]) + sum(found["few"]))

    @dag(schedule=None)
    def pods_with_values() -> None:
        total(squares(as_reference(array()), as_reference(small())))

    return pods_with_values()


def test_a_pod_gets_a_reference_and_its_result_goes_to_the_store(
    cluster: KubernetesStandin, s3_server: S3Server, bucket: str
) -> None:
    made = a_dag(s3_server.environment())
    assert made.get_task("squares").upstream_task_ids == {"array", "small"}
    before = s3_server.counts(bucket)
    run = run_dag(made)
    assert run.xcom("total") == 20_000 * 19_999 / 2 + 6
    pointer = run.xcom("squares")["__artifact__"]
    assert (pointer["type"], pointer["preview"]["len"]) == ("dict", 2)
    # The array was written by one task and read by the pod alone; the result likewise by worker and last task.
    stored = list(open_store(f"s3://{bucket}/store").list("values"))
    assert len(stored) == 2
    assert s3_server.counts(bucket).total() - before.total() < 20
    (pod,) = cluster.admin.pods()
    # What travels with the pod is the reference.
    assert len(str(pod["created"])) < 20_000


def test_only_the_output_of_one_task_can_be_handed_on_as_a_reference() -> None:
    from airflow.sdk import DAG, task

    with DAG("mapped", schedule=None):

        @task
        def one(n: int) -> int:
            return n

        for wrong in (one.expand(n=[1, 2]), one(3).map(str), "one"):
            with pytest.raises(CommandException, match="not the output of one task"):
                as_reference(wrong)  # type: ignore[arg-type]
