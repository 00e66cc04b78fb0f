"""Commands in running containers, over the WebSocket protocol of the official client."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from tests.kubernetes_standin_tests.pods import Pods, pod_body


@pytest.fixture
def running(pods: Pods) -> Pods:
    """A container that waits."""
    pods.create(pod_body("pod", "sleep", "60", env=[{"name": "A", "value": "1"}], workingDir="/usr"))
    pods.running()
    return pods


def execute(pods: Pods, *command: str, **options: Any) -> Any:
    """A finished command: its client with all it said."""
    session = stream(
        pods.core.connect_get_namespaced_pod_exec, "pod", "default", command=list(command),
        stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False, **options,
    )  # fmt: skip
    session.run_forever(timeout=20)
    return session


def test_a_command_sees_the_container(running: Pods) -> None:
    session = execute(running, "sh", "-c", "echo $A; pwd; cat /proc/1/cmdline | tr '\\0' ' '; hostname")
    assert session.read_stdout() == "1\n/usr\nsleep 60 pod\n"
    assert session.returncode == 0


def test_errors_and_the_exit_code_arrive_apart(running: Pods) -> None:
    session = execute(running, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (session.read_stdout(), session.read_stderr(), session.returncode) == ("out\n", "err\n", 3)


def test_input_reaches_the_command(running: Pods) -> None:
    session = stream(
        running.core.connect_get_namespaced_pod_exec, "pod", "default", command=["sh"],
        stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
    )  # fmt: skip
    session.write_stdin("echo hello; exit 4\n")
    session.run_forever(timeout=20)
    assert session.read_stdout() == "hello\n"
    assert session.returncode == 4


def test_a_terminal_is_a_terminal(running: Pods) -> None:
    session = stream(
        running.core.connect_get_namespaced_pod_exec, "pod", "default", command=["sh", "-c", "tty; test -t 1 && echo yes"],
        stdin=True, stdout=True, stderr=True, tty=True, _preload_content=False,
    )  # fmt: skip
    session.run_forever(timeout=20)
    assert "yes" in session.read_stdout()


def test_a_command_that_does_not_exist_is_an_error(running: Pods) -> None:
    session = execute(running, "no-such-program")
    assert "executable file not found" in session.read_channel(3)


def test_what_has_ended_takes_no_commands(pods: Pods) -> None:
    pods.run(pod_body())
    with pytest.raises(ApiException):
        execute(pods, "true")


def test_a_command_ends_with_its_container(running: Pods) -> None:
    session = stream(
        running.core.connect_get_namespaced_pod_exec, "pod", "default", command=["sleep", "60"],
        stdout=True, stderr=True, _preload_content=False,
    )  # fmt: skip
    running.core.delete_namespaced_pod("pod", "default", grace_period_seconds=0)
    session.run_forever(timeout=20)
    assert session.returncode == 137
