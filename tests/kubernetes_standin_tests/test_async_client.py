"""The client the triggerer uses: ``kubernetes_asyncio``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from kubernetes_asyncio import client, config, watch

from tests.kubernetes_standin import KubernetesStandin
from tests.kubernetes_standin_tests.pods import Pods, pod_body, shell

T = TypeVar("T")


def with_client(standin: KubernetesStandin, work: Callable[[Any], Awaitable[T]]) -> T:
    """Run ``work`` with a ``CoreV1Api``."""

    async def run() -> T:
        configuration = client.Configuration()
        await config.load_kube_config(str(standin.kubeconfig), client_configuration=configuration)
        async with client.ApiClient(configuration) as api:
            return await work(client.CoreV1Api(api))

    return asyncio.run(run())


def test_a_pod_is_created_watched_logged_and_deleted(standin: KubernetesStandin) -> None:
    async def work(core: Any) -> tuple[list[str], str]:
        version = (await core.list_namespaced_pod("default")).metadata.resource_version
        await core.create_namespaced_pod("default", shell("echo hello; exit 3"))
        phases: list[str] = []
        async with watch.Watch() as watching:
            async for event in watching.stream(
                core.list_namespaced_pod, "default", resource_version=version, timeout_seconds=60
            ):
                phases.append(event["object"].status.phase)
                if phases[-1] == "Failed":
                    break
        log = await core.read_namespaced_pod_log("pod", "default", container="base")
        await core.delete_namespaced_pod("pod", "default")
        return phases, log

    phases, log = with_client(standin, work)
    assert phases[0] == "Pending"
    assert "Running" in phases
    assert log == "hello\n"


def test_events_are_listed_and_watched(standin: KubernetesStandin, pods: Pods) -> None:
    pods.run(pod_body())

    async def work(core: Any) -> list[str]:
        reasons = []
        async with watch.Watch() as watching:
            async for event in watching.stream(
                core.list_namespaced_event,
                "default",
                field_selector="involvedObject.name=pod",
                timeout_seconds=1,
            ):
                reasons.append(event["object"].reason)
        return reasons

    assert set(with_client(standin, work)) == {"Scheduled", "Pulled", "Started"}


def test_logs_stream_while_the_container_runs(standin: KubernetesStandin) -> None:
    async def work(core: Any) -> bytes:
        await core.create_namespaced_pod("default", shell("echo one; sleep 0.3; echo two"))
        while (await core.read_namespaced_pod("pod", "default")).status.phase == "Pending":
            await asyncio.sleep(0.02)
        response = await core.read_namespaced_pod_log("pod", "default", follow=True, _preload_content=False)
        return bytes(await response.content.read())

    assert with_client(standin, work) == b"one\ntwo\n"
