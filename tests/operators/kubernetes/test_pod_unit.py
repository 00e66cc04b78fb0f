"""Pods from the request to their removal, on a strict API server that runs them."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from airflow_mlflow_provider.exception import InvalidDecoratorAttribute, MetaflowConfigError, TaskFailed
from airflow_mlflow_provider.operators.kubernetes import PodOutcome, PodUnit, api, outcome, running_pod
from tests.kubernetes_standin import KubernetesStandin
from tests.operators.kubernetes.conftest import Task, Unit
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(60)]

WAIT = "import time\nprint('waiting', flush=True)\ntime.sleep(60)"


@contextmanager
def running(unit: PodUnit) -> Iterator[dict[str, Any]]:
    """Run a unit in a thread; what is yielded holds its ``outcome`` in the end."""
    box: dict[str, Any] = {}

    def run() -> None:
        try:
            box["outcome"] = unit.run()
        except Exception as error:  # noqa: BLE001 - for the test to look at
            box["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield box
    finally:
        thread.join(60)
        assert not thread.is_alive()


def the_pod(cluster: KubernetesStandin) -> dict[str, Any]:
    """The only pod there ever was."""
    (record,) = cluster.admin.pods()
    return record


def name_once_it_says(cluster: KubernetesStandin, task: Task, line: str) -> str:
    wait_until(lambda: line in task.lines, 30, f"the pod did not say {line!r}")
    return str(the_pod(cluster)["last"]["metadata"]["name"])


def test_a_pod_that_ends_well_is_followed_and_removed(
    cluster: KubernetesStandin, unit: Unit, task: Task
) -> None:
    found = unit("print('one')\nprint('two')\nprint('ü', file=sys.stderr)").run()
    assert (found.phase, found.reason, found.exit_code) == ("Succeeded", "Completed", 0)
    assert found.node
    assert [line for line in task.lines if line in ("one", "two", "ü")] == ["one", "two", "ü"]
    assert the_pod(cluster)["deleted"]


@pytest.mark.parametrize("code", [403, 404, 410, 500])
def test_the_end_of_a_pod_is_seen_where_pods_cannot_be_watched(
    cluster: KubernetesStandin, unit: Unit, code: int
) -> None:
    cluster.admin.fail("watch", "pods", times=100_000, code=code)
    found = unit("import time\ntime.sleep(1)").run()
    cluster.admin.forget_faults()
    assert found.reason == "Completed"
    asked = cluster.admin.requests(verb="watch", resource="pods")
    assert asked
    # Who may not is not going to be allowed to.
    assert code != 403 or len(asked) == 1


def test_the_pod_is_labelled_and_named_after_its_task(cluster: KubernetesStandin, unit: Unit) -> None:
    found = unit("pass", request={"paths": ((2, 7),), "attempt": 1}, try_number=2, labels={"team": "a"}).run()
    metadata = the_pod(cluster)["created"]["metadata"]
    assert metadata["name"] == found.pod_name
    assert metadata["name"].startswith("trainflow-train-0002-0007-0123456789-t2-")
    assert metadata["labels"]["airflow-mlflow-provider/task"] == "0002-0007"
    assert metadata["labels"]["team"] == "a"
    assert metadata["labels"]["dag_id"] == "TrainFlow"
    assert metadata["annotations"]["airflow-mlflow-provider/try-number"] == "2"


def test_what_the_step_asks_for_is_what_the_cluster_gets(cluster: KubernetesStandin, unit: Unit) -> None:
    program = (
        "import os\nopen('/dev/shm/x', 'w').close()\nopen('/fast/x', 'w').close()\nassert os.getuid() == 1000"
    )
    found = unit(
        program,
        gpu=1,
        qos="guaranteed",
        shared_memory=10,
        tmpfs_size=10,
        tmpfs_path="/fast",
        port=8080,
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        security_context={"run_as_user": 1000, "run_as_group": 1000},
        annotations={"note": "ü"},
        decorators={"timeout": {"seconds": 30}},
    ).run()
    assert found.reason == "Completed", found.summary
    pod = the_pod(cluster)["created"]
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"] == {
        "cpu": "100m",
        "memory": "100M",
        "ephemeral-storage": "100M",
        "nvidia.com/gpu": "1",
    }
    assert container["securityContext"] == {"runAsUser": 1000, "runAsGroup": 1000}
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert pod["spec"]["activeDeadlineSeconds"] == 90
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["status"]["qosClass"] == "Guaranteed"
    assert pod["metadata"]["annotations"]["note"] == "ü"


@pytest.mark.parametrize("value", ["{{ ds }}", "$(HOME)", "$$(HOME) $HOME `id`", "a\nb", "ü😀", ""])
def test_a_variable_reaches_the_pod_as_it_is_written(unit: Unit, task: Task, value: str) -> None:
    found = unit(
        "import json, os\nprint(json.dumps(os.environ['VALUE']))",
        decorators={"environment": {"vars": {"VALUE": value}}},
    ).run()
    assert found.reason == "Completed"
    assert json.dumps(value) in task.lines


@pytest.mark.parametrize(
    ("program", "code", "killed_by"),
    [("sys.exit(7)", 7, None), ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", 143, 15)],
)
def test_a_pod_that_fails_tells_its_exit_code(
    unit: Unit, program: str, code: int, killed_by: int | None
) -> None:
    found = unit(program).run()
    assert (found.phase, found.reason, found.exit_code, found.signal) == ("Failed", "Error", code, killed_by)


def test_the_last_words_of_a_pod_are_in_the_outcome(unit: Unit) -> None:
    found = unit("raise ValueError('the last word')").run()
    assert "the last word" in found.message


def test_a_pod_out_of_memory(cluster: KubernetesStandin, unit: Unit, task: Task) -> None:
    with running(unit(WAIT)) as box:
        cluster.admin.out_of_memory(name_once_it_says(cluster, task, "waiting"))
    assert (box["outcome"].reason, box["outcome"].exit_code, box["outcome"].signal) == ("OOMKilled", 137, 9)
    assert the_pod(cluster)["deleted"]


def test_a_pod_that_is_evicted(cluster: KubernetesStandin, unit: Unit, task: Task) -> None:
    with running(unit(WAIT)) as box:
        cluster.admin.evict(name_once_it_says(cluster, task, "waiting"), message="low on memory")
    assert box["outcome"].reason == "Evicted"
    assert "low on memory" in box["outcome"].message


def test_a_pod_whose_node_is_lost(cluster: KubernetesStandin, unit: Unit, task: Task) -> None:
    with running(unit(WAIT)) as box:
        cluster.admin.vanish(name_once_it_says(cluster, task, "waiting"))
    assert box["outcome"].reason == "Lost"


def test_a_pod_that_exceeds_its_deadline(unit: Unit) -> None:
    found = unit(WAIT, decorators={"timeout": {"seconds": 1}}, settings={"timeout_grace_s": 0}).run()
    assert found.reason == "DeadlineExceeded"


def test_an_image_that_does_not_exist(cluster: KubernetesStandin, unit: Unit) -> None:
    found = unit("pass", image="registry.example.org/missing:1").run()
    assert found.reason in ("ErrImagePull", "ImagePullBackOff")
    assert "not found" in found.message
    assert the_pod(cluster)["deleted"]


def test_an_image_that_is_no_name(unit: Unit) -> None:
    assert unit("pass", image="Not A Name").run().reason == "InvalidImageName"


def test_a_secret_that_does_not_exist(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "CONFIGURATION_GRACE_S", 0.5)
    found = unit("pass", secrets=["s3", "nowhere"]).run()
    assert found.reason == "CreateContainerConfigError"
    assert "nowhere" in found.message


def test_a_command_that_does_not_exist(unit: Unit) -> None:
    found = unit("pass", executable="/no/python").run()
    assert found.reason == "StartError"
    assert "/no/python" in found.message


def test_a_pod_that_no_node_can_take(cluster: KubernetesStandin, unit: Unit) -> None:
    found = unit("pass", cpu=100_000, settings={"pod_startup_timeout_s": 1}).run()
    assert found.reason == "StartTimeout"
    assert "Unschedulable" in found.message or "FailedScheduling" in found.message
    assert the_pod(cluster)["deleted"]


def test_a_pod_that_starts_late_is_waited_for(cluster: KubernetesStandin, unit: Unit) -> None:
    cluster.admin.delay_starts(1.5)
    assert unit("pass").run().reason == "Completed"


def test_a_pod_is_kept_if_the_deployment_says_so(cluster: KubernetesStandin, unit: Unit) -> None:
    assert unit("sys.exit(1)", settings={"pod_on_finish_action": "delete_succeeded_pod"}).run().exit_code == 1
    assert not the_pod(cluster)["deleted"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that fails is asked again without pauses worth mentioning."""
    monkeypatch.setattr(api, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(api, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(api, "START_PATIENCE_S", 1.0)
    monkeypatch.setattr(api, "WATCH_PATIENCE_S", 1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("code", [429, 500, 503, 504])
@pytest.mark.parametrize("verb", ["create", "list", "get", "delete"])
def test_an_api_server_that_fails_for_a_moment_is_asked_again(
    cluster: KubernetesStandin, unit: Unit, verb: str, code: int
) -> None:
    cluster.admin.fail(verb, "pods", times=3, code=code)
    assert unit("pass").run().reason == "Completed"
    assert the_pod(cluster)["deleted"]


@pytest.mark.usefixtures("impatient")
def test_an_api_server_that_keeps_failing_is_reported(cluster: KubernetesStandin, unit: Unit) -> None:
    cluster.admin.fail("create", "pods", times=1000, code=500)
    with pytest.raises(TaskFailed, match="create a pod: 500 InternalError") as caught:
        unit("pass").run()
    assert caught.value.where["status"] == 500


def test_an_api_server_that_refuses_is_not_asked_again(cluster: KubernetesStandin, unit: Unit) -> None:
    cluster.admin.fail("create", "pods", times=1000, code=403)
    with pytest.raises(TaskFailed, match="403 Forbidden") as caught:
        unit("pass").run()
    assert len(cluster.admin.requests(verb="create", resource="pods")) == 1
    assert caught.value.where["namespace"] == "default"
    assert "service account" in caught.value.fix


def test_credentials_without_rights(
    cluster: KubernetesStandin, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(cluster.airflow_connection)
    connection["extra"]["kube_config_path"] = str(cluster.kubeconfig_no_rights)
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    with pytest.raises(TaskFailed, match="403 Forbidden"):
        unit("pass").run()


def test_a_pod_that_the_api_server_finds_invalid(unit: Unit) -> None:
    with pytest.raises(InvalidDecoratorAttribute, match="422 Invalid") as caught:
        unit("pass", labels={"not a key": "x"}).run()
    assert any("not a key" in cause or "metadata.labels" in cause for cause in caught.value.where["causes"])


def test_a_field_that_kubernetes_does_not_have(unit: Unit, cluster: KubernetesStandin) -> None:
    with pytest.raises(InvalidDecoratorAttribute, match=r"spec\.containers\[0\]\.securityContext\.runAsUsr"):
        unit("pass", security_context={"run_as_usr": 1}).run()
    assert not cluster.admin.requests(verb="create", resource="pods")


def test_a_connection_that_does_not_exist(unit: Unit) -> None:
    with pytest.raises(MetaflowConfigError, match="nowhere"):
        unit("pass", settings={"kubernetes_conn_id": "nowhere"}).run()


def test_an_api_server_that_is_not_there(
    cluster: KubernetesStandin, unit: Unit, impatient: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    away = tmp_path / "config"
    away.write_text(cluster.kubeconfig.read_text().replace(cluster.url, "http://127.0.0.1:9"))
    connection = json.loads(cluster.airflow_connection)
    connection["extra"]["kube_config_path"] = str(away)
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    with pytest.raises(TaskFailed, match="could not be reached"):
        unit("pass").run()


def test_a_log_that_breaks_off_is_neither_lost_nor_repeated(
    cluster: KubernetesStandin, unit: Unit, task: Task
) -> None:
    cluster.admin.drop_logs(lines=7, times=3)
    program = "import time\nfor i in range(60):\n  print('line', i, flush=True)\n  time.sleep(0.03)"
    assert unit(program).run().reason == "Completed"
    assert [line for line in task.lines if line.startswith("line ")] == [f"line {i}" for i in range(60)]


def test_a_killed_task_takes_its_pod_with_it(cluster: KubernetesStandin, unit: Unit, task: Task) -> None:
    work = unit(WAIT)
    with running(work) as box:
        name_once_it_says(cluster, task, "waiting")
        work.kill()
    assert box["outcome"].reason == "Killed"
    wait_until(lambda: the_pod(cluster)["deleted"], 10, "the pod is still there")


def test_a_task_killed_before_it_has_a_pod_gets_none(cluster: KubernetesStandin, unit: Unit) -> None:
    work = unit(WAIT)
    work.kill()
    with pytest.raises(TaskFailed, match="ended before"):
        work.run()
    assert not cluster.admin.pods()


def test_a_task_can_be_killed_from_a_signal_handler(
    cluster: KubernetesStandin, unit: Unit, task: Task
) -> None:
    work = unit(WAIT)

    def on_alarm(*_: object) -> None:
        if "waiting" in task.lines:
            signal.setitimer(signal.ITIMER_REAL, 0)
            work.kill()

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        assert work.run().reason == "Killed"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    wait_until(lambda: the_pod(cluster)["deleted"], 10, "the pod is deleted")


def test_a_pod_whose_creation_was_not_answered_is_recognised(cluster: KubernetesStandin, unit: Unit) -> None:
    held, wanted = unit("pass")._hold("a-name", None)
    pods = api.PodApi(held, "default", lambda: False)
    created = pods.create(wanted)
    assert pods.create(wanted).metadata.uid == created.metadata.uid
    assert len(cluster.admin.pods()) == 1


def test_a_stranger_with_the_name_of_the_pod_is_not_taken_for_it(
    cluster: KubernetesStandin, unit: Unit
) -> None:
    held, wanted = unit("pass")._hold("a-name", None)
    pods = api.PodApi(held, "default", lambda: False)
    pods.create(wanted)
    _, other = unit("pass")._hold("a-name", None)
    with pytest.raises(ApiException, match="AlreadyExists"):
        pods.create(other)


def test_credentials_that_expire_are_renewed(
    cluster: KubernetesStandin, unit: Unit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(cluster.kubeconfig.read_text().replace(cluster.token, "expired"))
    connection = json.loads(cluster.airflow_connection)
    connection["extra"]["kube_config_path"] = str(config)
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    held, _ = unit("pass")._hold("a-name", None)
    pods = api.PodApi(held, "default", lambda: False)
    with pytest.raises(ApiException, match="401"):
        pods.read("a-name")
    config.write_text(cluster.kubeconfig.read_text())
    assert pods.read("a-name") is None


def test_a_pod_that_waits_says_what_for(
    cluster: KubernetesStandin, unit: Unit, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_pod, "_SILENT_S", 0.0)
    unit("pass", cpu=100_000, settings={"pod_startup_timeout_s": 1}).run()
    told = [line for line in task.lines if "has not started: Unschedulable" in line]
    assert len(told) == 1


def started_pod(cluster: KubernetesStandin, work: PodUnit) -> str:
    """Start the pod of a unit and forget the unit, as when a worker is lost."""
    work.start()
    return str(the_pod(cluster)["created"]["metadata"]["name"])


def test_a_retry_goes_on_with_the_pod_whose_worker_was_lost(cluster: KubernetesStandin, unit: Unit) -> None:
    program = "import time\ntime.sleep(1)\nprint('from the first try')"
    name = started_pod(cluster, unit(program))
    found = unit(program, try_number=2, request={"attempt": 1, "retry_count": 1}).run()
    assert (found.pod_name, found.reason) == (name, "Completed")
    assert len(cluster.admin.pods()) == 1


def test_a_cleared_task_replaces_the_pod_that_was_left(cluster: KubernetesStandin, unit: Unit) -> None:
    name = started_pod(cluster, unit(WAIT))
    found = unit("pass", try_number=2, request={"attempt": 1, "retry_count": 0}).run()
    assert found.reason == "Completed"
    assert found.pod_name != name
    wait_until(
        lambda: all(record["deleted"] for record in cluster.admin.pods()), 35, "the first pod is still there"
    )


def test_the_pod_of_another_task_is_left_alone(cluster: KubernetesStandin, unit: Unit) -> None:
    started_pod(cluster, unit("import time\ntime.sleep(3)", request={"paths": ((1,),)}))
    assert unit("pass", request={"paths": ((2,),)}).run().reason == "Completed"
    assert len(cluster.admin.pods()) == 2


def test_an_outcome_is_returned_when_the_cluster_is_lost(
    cluster: KubernetesStandin, unit: Unit, task: Task, impatient: None
) -> None:
    with running(unit("print('waiting', flush=True)\nimport time\ntime.sleep(2)")) as box:
        name_once_it_says(cluster, task, "waiting")
        cluster.admin.fail("*", "*", times=100_000, code=503)
    cluster.admin.forget_faults()
    found: PodOutcome = box["outcome"]
    assert found.reason == "Unreachable"
    assert "503" in found.message
