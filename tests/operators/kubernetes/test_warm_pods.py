"""Pods that stand and take one step after another, on a strict API server that runs them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_mlflow_provider.operators.kubernetes import PodUnit
from tests.kubernetes_standin import KubernetesStandin
from tests.operators.kubernetes.conftest import Task, Unit
from tests.services.waiting import wait_until

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    # The Kubernetes client leaves the sockets of its exec sessions to the garbage collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <(ssl.SSLSocket|socket.socket):pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]  # fmt: skip

SETTINGS = {"warm_pods": 2, "warm_pod_idle_s": 30.0}
PID = "import os\nprint('host', os.uname().nodename, 'process', os.getpid(), flush=True)"
WAIT = "import time\nprint('waiting', flush=True)\ntime.sleep(60)"

Warm = Callable[..., PodUnit]


@pytest.fixture
def warm(unit: Unit) -> Warm:
    """Makes units whose step asks for a warm pod."""
    return lambda program, **how: unit(program, **{"warm": True, "settings": SETTINGS, **how})


def pods(cluster: KubernetesStandin) -> list[str]:
    """Names of all pods that were ever created."""
    return [str(record["created"]["metadata"]["name"]) for record in cluster.admin.pods()]


def live(core_v1: Any) -> list[str]:
    """Names of the pods that are there."""
    return [pod.metadata.name for pod in core_v1.list_namespaced_pod("default").items]


def in_thread(unit: PodUnit) -> tuple[threading.Thread, list[Any]]:
    """Run a unit in a thread; the list gets how it ended."""
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(unit.run_warm()))
    thread.start()
    return thread, outcomes


def test_steps_run_one_after_another_in_one_pod_each_in_a_process_of_its_own(
    cluster: KubernetesStandin, warm: Warm, task: Task
) -> None:
    program = f"{PID}\nimport builtins\nassert not hasattr(builtins, 'seen')\nbuiltins.seen = True"
    for _ in range(3):
        outcome = warm(program).run_warm()
        assert outcome is not None
        assert (outcome.reason, outcome.exit_code) == ("Completed", 0), task.lines
    assert len(pods(cluster)) == 1
    said = [line.split() for line in task.lines if line.startswith("host ")]
    assert len({words[1] for words in said}) == 1
    assert len({words[3] for words in said}) == 3


def test_a_step_that_fails_leaves_the_pod_usable_and_says_its_exit_code(
    cluster: KubernetesStandin, warm: Warm, task: Task
) -> None:
    failed = warm("import sys\nprint('so long')\nsys.exit(3)").run_warm()
    assert failed is not None
    assert (failed.reason, failed.exit_code, failed.succeeded) == ("Error", 3, False)
    killed = warm("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)").run_warm()
    assert killed is not None
    assert killed.exit_code == 137
    fine = warm("print('läuft \U0001f600')").run_warm()
    assert fine is not None
    assert fine.succeeded
    assert "läuft \U0001f600" in task.lines
    assert len(pods(cluster)) == 1


def test_at_once_they_run_in_pods_of_their_own_and_no_more_than_configured_stand(
    cluster: KubernetesStandin, warm: Warm, task: Task
) -> None:
    busy = [in_thread(warm("import time\nprint('waiting', flush=True)\ntime.sleep(8)")) for _ in range(2)]
    wait_until(lambda: task.lines.count("waiting") == 2, 30, "two steps did not begin")
    # None is free, and there may be no third one.
    assert warm("print('never')").run_warm() is None
    assert "never" not in task.lines
    for thread, _ in busy:
        thread.join()
    assert all(outcomes[0].succeeded for _, outcomes in busy)
    assert len(set(pods(cluster))) == 2


def test_a_killed_step_ends_with_all_its_processes_and_the_pod_goes_on(
    cluster: KubernetesStandin, warm: Warm, task: Task
) -> None:
    hidden = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(99)\n    os._exit(0)\n"
    unit = warm(hidden + WAIT)
    thread, outcomes = in_thread(unit)
    wait_until(lambda: "waiting" in task.lines, 30, "the step did not begin")
    unit.kill()
    thread.join(20)
    assert outcomes[0].reason == "Killed"
    count = (
        "import os\n"
        "alive = [p for p in os.listdir('/proc') if p.isdigit() and b'time.sleep' in open(f'/proc/{p}/cmdline', 'rb').read()]\n"
        "print('left', len(alive), flush=True)"
    )

    def again() -> bool:
        # For a moment the step that is being ended still has the pod.
        found = warm(count, settings={**SETTINGS, "warm_pods": 1}).run_warm()
        return found is not None and found.succeeded

    wait_until(again, 30, "the pod was not usable again")
    assert len(pods(cluster)) == 1


def test_a_lost_worker_ends_its_step(
    cluster: KubernetesStandin, warm: Warm, task: Task, core_v1: Any
) -> None:
    from airflow_mlflow_provider.operators.kubernetes import execution

    sockets: list[Any] = []
    opened = execution.Execution.__init__

    def remember(self: Any, socket: Any) -> None:
        sockets.append(socket)
        opened(self, socket)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution.Execution, "__init__", remember)
        thread, outcomes = in_thread(warm(WAIT))
        wait_until(lambda: "waiting" in task.lines, 30, "the step did not begin")
        sockets[-1].sock.sock.shutdown(2)
        thread.join(30)
    assert outcomes[0].reason == "Disconnected"
    wait_until(
        lambda: getattr(warm("print('again', flush=True)").run_warm(), "succeeded", False), 30, "not usable"
    )
    assert len(pods(cluster)) <= 2


def test_a_step_that_needs_too_much_memory_has_failed_by_that(
    cluster: KubernetesStandin, warm: Warm, task: Task
) -> None:
    thread, outcomes = in_thread(warm(WAIT))
    wait_until(lambda: "waiting" in task.lines, 30, "the step did not begin")
    cluster.admin.out_of_memory(pods(cluster)[0])
    thread.join(30)
    assert outcomes[0].reason == "OOMKilled"


def test_a_pod_that_nobody_needs_ends_and_is_removed_by_the_next_step(
    cluster: KubernetesStandin, warm: Warm, core_v1: Any
) -> None:
    idle = {**SETTINGS, "warm_pod_idle_s": 1.0}
    assert warm("print(1)", settings=idle).run_warm() is not None
    (first,) = live(core_v1)
    wait_until(
        lambda: core_v1.read_namespaced_pod(first, "default").status.phase == "Succeeded",
        30,
        "it stands for ever",
    )
    assert warm("print(2)", settings=idle).run_warm() is not None
    assert len(live(core_v1)) == 1
    assert len(pods(cluster)) == 2


def test_steps_with_other_pods_other_deployments_secrets_or_in_gangs_do_not_share(
    cluster: KubernetesStandin, warm: Warm, task: Task
) -> None:
    assert warm("print(1)").run_warm() is not None
    assert warm("print(1)", cpu=0.2).run_warm() is not None
    assert warm("print(1)", settings={**SETTINGS, "kubernetes_labels": {"team": "a"}}).run_warm() is not None
    assert len(set(pods(cluster))) == 3
    assert warm("print(1)", asks_airflow={"TOKEN": "x"}).run_warm() is None
    assert warm("print(1)", request={"node": 1}).run_warm() is None
    assert warm("print(1)", warm=False).run_warm() is None
    assert len(pods(cluster)) == 3


def test_a_pod_that_is_gone_or_may_not_be_used_makes_no_step_fail(
    cluster: KubernetesStandin, warm: Warm, task: Task
) -> None:
    assert warm("print(1)").run_warm() is not None
    cluster.admin.vanish(pods(cluster)[0])
    assert warm("print(2)").run_warm() is not None
    cluster.admin.fail("get", "pods/exec", times=5, code=403)
    assert warm("print(3)").run_warm() is None
    assert any("pods/exec" in line for line in task.lines), task.lines


def test_an_image_that_does_not_exist_is_told_as_that_of_any_pod(
    cluster: KubernetesStandin, warm: Warm, core_v1: Any
) -> None:
    outcome = warm("print(1)", image="missing:1").run_warm()
    assert outcome is not None
    assert outcome.reason in ("ErrImagePull", "ImagePullBackOff")
    assert live(core_v1) == []


def test_a_step_that_takes_too_long_is_ended(cluster: KubernetesStandin, warm: Warm, task: Task) -> None:
    quick = {**SETTINGS, "timeout_grace_s": 0.0, "default_runtime_limit": 2}
    outcome = warm(WAIT, settings=quick).run_warm()
    assert outcome is not None
    assert outcome.reason == "DeadlineExceeded"
