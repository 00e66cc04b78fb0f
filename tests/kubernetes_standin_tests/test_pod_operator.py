"""Airflow's own ``KubernetesPodOperator`` against the stand-in: sync, deferrable, XCom, kill, reattach."""

from __future__ import annotations

import datetime
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, pod_body, wait_until
from tests.services.dag_test import DagTestRun, initialise_database, run_dag

pytestmark = [
    pytest.mark.kubernetes,
    # The provider leaves the sockets of its clients and exec sessions to the garbage collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <(ssl.SSLSocket|socket.socket):pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def connection(standin: KubernetesStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's default Kubernetes connection leads to the stand-in."""
    initialise_database()
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", standin.airflow_connection)


def operator(*command: str, **options: Any) -> Any:
    """A pod operator that does not dawdle."""
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    quick = {
        "startup_check_interval_seconds": 0.1, "base_container_status_polling_interval": 0.1, "poll_interval": 0.1,
        "do_xcom_push": False, "deferrable": False,
    }  # fmt: skip
    return KubernetesPodOperator(
        task_id="train", name="train", image="python:3.11", cmds=list(command), **{**quick, **options}
    )


def run_in_a_dag(*command: str, expected: str = "success", **options: Any) -> DagTestRun:
    """Run one pod operator as a DAG."""
    from airflow.sdk import DAG

    with DAG(
        "pods", schedule=None, start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    ) as dag:
        operator(*command, **options)
    return run_dag(dag, expected=expected)


def only_record(standin: KubernetesStandin) -> dict[str, Any]:
    """The one pod that was ever created."""
    (record,) = standin.admin.pods()
    return record


def exit_code(record: dict[str, Any]) -> int:
    """How its first container ended."""
    return int(record["last"]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"])


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_pod_succeeds_with_its_log_and_is_deleted(
    standin: KubernetesStandin, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    script = "for i in 1 2 3; do echo step $i; sleep 0.1; done"
    run_in_a_dag("sh", "-c", script, deferrable=deferrable)
    record = only_record(standin)
    assert (record["deleted"], exit_code(record)) == (True, 0)
    assert record["created"]["metadata"]["labels"]["dag_id"] == "pods"
    output = "".join(capfd.readouterr())
    assert all(f"step {number}" in output for number in (1, 2, 3))


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_failing_pod_fails_the_task_and_can_be_kept(
    standin: KubernetesStandin, *, deferrable: bool
) -> None:
    run_in_a_dag("sh", "-c", "exit 3", expected="failed", deferrable=deferrable, on_finish_action="keep_pod")
    record = only_record(standin)
    assert (record["deleted"], exit_code(record)) == (False, 3)
    assert record["last"]["metadata"]["labels"]["already_checked"] == "True"


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_xcom_comes_back_through_the_sidecar(standin: KubernetesStandin, *, deferrable: bool) -> None:
    script = "echo '{\"loss\": 0.5}' > /airflow/xcom/return.json"
    run = run_in_a_dag("sh", "-c", script, do_xcom_push=True, deferrable=deferrable)
    assert run.xcom("train") == {"loss": 0.5}
    assert len(only_record(standin)["created"]["spec"]["containers"]) == 2


def test_a_pod_that_is_refused_fails_the_task(standin: KubernetesStandin) -> None:
    run_in_a_dag("true", expected="failed", service_account_name="ghost")
    assert standin.admin.pods() == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_pod_killed_for_memory_fails_the_task(
    standin: KubernetesStandin, pods: Pods, *, deferrable: bool
) -> None:
    def kill() -> None:
        selector = "status.phase=Running"
        found = wait_until(
            "the pod", lambda: pods.core.list_namespaced_pod("default", field_selector=selector).items
        )
        standin.admin.out_of_memory(found[0].metadata.name)

    killer = threading.Thread(target=kill)
    killer.start()
    run_in_a_dag("sleep", "60", expected="failed", deferrable=deferrable, on_finish_action="keep_pod")
    killer.join()
    record = only_record(standin)
    assert exit_code(record) == 137
    assert record["last"]["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"


def test_a_flaky_server_is_asked_again(standin: KubernetesStandin) -> None:
    standin.admin.fail("create", "pods", times=1, code=429, retry_after=1)
    standin.admin.drop_logs(lines=1)
    run_in_a_dag("sh", "-c", "echo a; echo b; sleep 0.5")
    assert [entry["code"] for entry in standin.admin.requests(verb="create", resource="pods")] == [429, 201]


def context(try_number: int = 1) -> Any:
    """As much of a task's context as the operator needs to label its pod."""
    instance = SimpleNamespace(
        dag_id="pods",
        task_id="train",
        run_id="run",
        map_index=-1,
        try_number=try_number,
        xcom_push=lambda **_: None,
    )
    return {"ti": instance, "run_id": "run", "dag": SimpleNamespace(), "task_instance": instance}


def started(*command: str, **options: Any) -> Any:
    """An operator whose pod has been asked for."""
    task = operator(*command, **options)
    task.pod = task.get_or_create_pod(task.build_pod_request_obj(context()), context())
    return task


def test_a_restarted_task_finds_its_pod_again(standin: KubernetesStandin, pods: Pods) -> None:
    first = started("sleep", "60")
    pods.running(first.pod.metadata.name)
    second = started("sleep", "60")
    assert second.pod.metadata.name == first.pod.metadata.name
    assert len(standin.admin.pods()) == 1
    first.patch_already_checked(first.pod)
    assert second.find_pod("default", context()) is None


def test_a_killed_task_deletes_its_pod_with_grace(standin: KubernetesStandin, pods: Pods) -> None:
    script = "trap 'exit 5' TERM; echo ready; while true; do sleep 0.05; done"
    task = started("sh", "-c", script, termination_grace_period=20)
    name = task.pod.metadata.name
    pods.running(name)
    wait_until("the trap", lambda: pods.log(name) == "ready\n")
    task.on_kill()
    pods.gone(name)
    assert standin.admin.requests(verb="delete", resource="pods")[0]["query"]["gracePeriodSeconds"] == "20"
    record = only_record(standin)
    assert record["created"]["spec"]["terminationGracePeriodSeconds"] == 20
    assert exit_code(record) == 5


def test_a_pod_of_another_task_is_left_alone(standin: KubernetesStandin, pods: Pods) -> None:
    pods.create(pod_body("other", "sleep", "60"))
    started("true")
    assert {record["created"]["metadata"]["name"].partition("-")[0] for record in standin.admin.pods()} == {
        "other",
        "train",
    }
