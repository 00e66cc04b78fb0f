"""Shorthand for tests: make pods, wait for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

PATIENCE_SECONDS = 60.0


def pod_body(name: str = "pod", *command: str, **container: Any) -> dict[str, Any]:
    """A pod of one container, ``base``, that is not restarted."""
    base = {"name": "base", "image": "python:3.11", "command": list(command or ("true",)), **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [base]},
    }


def shell(script: str, name: str = "pod", **container: Any) -> dict[str, Any]:
    """A pod that runs a shell script."""
    return pod_body(name, "sh", "-c", script, **container)


def wait_until(description: str, found: Callable[[], Any]) -> Any:
    """The first truthy value of ``found``; fails the test when there is none in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    return pytest.fail(f"{description} did not happen within {PATIENCE_SECONDS:g} seconds")


@dataclass
class Pods:
    """Pods of the namespace ``default``."""

    core: Any

    def create(self, body: dict[str, Any]) -> Any:
        """Create a pod."""
        return self.core.create_namespaced_pod("default", body)

    def get(self, name: str = "pod") -> Any:
        """The pod."""
        return self.core.read_namespaced_pod(name, "default")

    def wait(self, description: str, wanted: Callable[[Any], Any], name: str = "pod") -> Any:
        """The pod, as soon as it is as wanted."""

        def look() -> Any:
            pod = self.get(name)
            return pod if wanted(pod) else None

        return wait_until(description, look)

    def run(self, body: dict[str, Any]) -> Any:
        """Create a pod and wait for its end."""
        self.create(body)
        return self.end(body["metadata"]["name"])

    def end(self, name: str = "pod") -> Any:
        """The pod, as soon as it has succeeded or failed."""
        return self.wait("the end of the pod", lambda pod: pod.status.phase in ("Succeeded", "Failed"), name)

    def running(self, name: str = "pod") -> Any:
        """The pod, as soon as it is running."""
        return self.wait("the start of the pod", lambda pod: pod.status.phase == "Running", name)

    def waiting(self, reason: str, name: str = "pod") -> Any:
        """The pod, as soon as its first container waits for that reason."""

        def waits(pod: Any) -> bool:
            statuses = pod.status.container_statuses or []
            return bool(statuses and statuses[0].state.waiting and statuses[0].state.waiting.reason == reason)

        return self.wait(f"waiting for {reason}", waits, name)

    def gone(self, name: str = "pod") -> None:
        """Wait until the pod does not exist."""

        def missing() -> bool:
            try:
                self.get(name)
            except ApiException as error:
                return bool(error.status == 404)
            return False

        wait_until("the removal of the pod", missing)

    def log(self, name: str = "pod", **options: Any) -> str:
        """The log as text."""
        response = self.core.read_namespaced_pod_log(name, "default", _preload_content=False, **options)
        return str(response.data.decode())


def terminated(pod: Any, container: str = "base") -> Any:
    """How a container ended."""
    statuses = [*(pod.status.container_statuses or []), *(pod.status.init_container_statuses or [])]
    return next(status.state.terminated for status in statuses if status.name == container)


@contextmanager
def open_session(pods: Pods, *command: str, name: str = "pod", **options: Any) -> Iterator[Any]:
    """A command in a pod's container. The client's own ``close`` leaves the socket open once the server has closed."""
    wanted = {"stdout": True, "stderr": True, "stdin": False, "tty": False, **options}
    connect = pods.core.connect_get_namespaced_pod_exec
    session = stream(connect, name, "default", command=list(command), _preload_content=False, **wanted)
    try:
        yield session
    finally:
        session.sock.shutdown()


def execute(pods: Pods, *command: str, **options: Any) -> Any:
    """A command that has ended; its client holds what it said."""
    with open_session(pods, *command, **options) as session:
        session.run_forever(timeout=PATIENCE_SECONDS)
    return session


def close(api_client: Any) -> None:
    """Close a client's connections, which its own ``close`` leaves to the garbage collector."""
    api_client.rest_client.pool_manager.clear()
    api_client.close()
