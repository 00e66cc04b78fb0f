"""Commands in running containers, over the WebSocket protocol of the official client."""

from __future__ import annotations

import pytest
import websocket

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, execute, open_session, pod_body, wait_until


@pytest.fixture
def running(pods: Pods) -> Pods:
    """A container that waits."""
    pods.create(pod_body("pod", "sleep", "60", env=[{"name": "A", "value": "1"}], workingDir="/usr"))
    pods.running()
    return pods


def test_a_command_sees_the_container(running: Pods) -> None:
    session = execute(running, "sh", "-c", "echo $A; pwd; cat /proc/1/cmdline | tr '\\0' ' '; hostname")
    assert session.read_stdout() == "1\n/usr\nsleep 60 pod\n"
    assert session.returncode == 0


def test_errors_and_the_exit_code_arrive_apart(running: Pods) -> None:
    session = execute(running, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (session.read_stdout(), session.read_stderr(), session.returncode) == ("out\n", "err\n", 3)


def test_input_reaches_the_command(running: Pods) -> None:
    with open_session(running, "sh", stdin=True) as session:
        session.write_stdin("echo hello; exit 4\n")
        session.run_forever(timeout=60)
        assert (session.read_stdout(), session.returncode) == ("hello\n", 4)


def test_a_terminal_is_a_terminal(running: Pods) -> None:
    session = execute(running, "sh", "-c", "tty; test -t 1 && echo yes", stdin=True, tty=True)
    assert session.read_stdout().endswith("yes\r\n")


def test_a_command_that_does_not_exist_is_an_error(running: Pods) -> None:
    session = execute(running, "no-such-program")
    assert "executable file not found" in session.read_channel(3)


def test_what_has_ended_takes_no_commands(standin: KubernetesStandin, pods: Pods) -> None:
    pods.run(pod_body())
    url = (
        standin.url.replace("http", "ws")
        + "/api/v1/namespaces/default/pods/pod/exec?command=true&stdout=true"
    )
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        websocket.create_connection(url, header=[f"Authorization: Bearer {standin.token}"])
    assert refusal.value.status_code == 500
    assert b"container not found" in (refusal.value.resp_body or b"")


def test_a_command_ends_with_its_container(running: Pods) -> None:
    with open_session(running, "sh", "-c", "echo ready; sleep 60") as session:
        assert session.readline_stdout(timeout=60) == "ready"
        running.core.delete_namespaced_pod("pod", "default", grace_period_seconds=0)
        session.run_forever(timeout=60)
        assert session.returncode == 137


def test_a_client_may_leave_before_the_command_ends(standin: KubernetesStandin, running: Pods) -> None:
    with open_session(
        running, "sh", "-c", "echo ready; sleep 0.3; echo more; touch /tmp/done; sleep 60"
    ) as session:
        assert session.readline_stdout(timeout=60) == "ready"
    wait_until("the rest of the command", lambda: execute(running, "test", "-e", "/tmp/done").returncode == 0)
    ended = len(standin.admin.requests(resource="pods/exec"))  # a session is listed when it ends
    running.core.delete_namespaced_pod("pod", "default", grace_period_seconds=0)
    wait_until(
        "the end of the session", lambda: len(standin.admin.requests(resource="pods/exec")) == ended + 1
    )
