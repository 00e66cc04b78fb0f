"""Owners, dependents and the end of namespaces."""

from __future__ import annotations

from typing import Any

from tests.kubernetes_standin_tests.pods import Pods, pod_body, shell, wait_until


def secret_of(owner: Any, name: str = "s") -> dict[str, Any]:
    """A secret that a pod owns."""
    reference = {"apiVersion": "v1", "kind": "Pod", "name": owner.metadata.name, "uid": owner.metadata.uid}
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


def secrets(core: Any) -> list[str]:
    """Names of the secrets there are."""
    return [item.metadata.name for item in core.list_namespaced_secret("default").items]


def test_a_secret_ends_with_the_pod_that_owns_it(core: Any, pods: Pods) -> None:
    pod = pods.create(pod_body("pod", "sleep", "60"))
    core.create_namespaced_secret("default", secret_of(pod))
    core.create_namespaced_secret("default", {"metadata": {"name": "free"}})
    pods.running()
    assert secrets(core) == ["free", "s"]
    core.delete_namespaced_pod("pod", "default", grace_period_seconds=0)
    wait_until("the end of the secret", lambda: secrets(core) == ["free"])


def test_an_object_whose_owner_does_not_exist_is_collected(core: Any, pods: Pods) -> None:
    pod = pods.create(pod_body("pod", "sleep", "60"))
    core.delete_namespaced_pod("pod", "default", grace_period_seconds=0)
    core.create_namespaced_secret("default", secret_of(pod))
    wait_until("the end of the secret", lambda: secrets(core) == [])


def test_a_deletion_in_the_foreground_ends_after_its_dependents(core: Any, batch: Any) -> None:
    template = {
        "spec": shell("trap 'sleep 0.3; exit 0' TERM; echo ready; while true; do sleep 0.05; done")["spec"]
    }
    batch.create_namespaced_job("default", {"metadata": {"name": "job"}, "spec": {"template": template}})
    wait_until("the pod", lambda: batch.read_namespaced_job("job", "default").status.ready)
    batch.delete_namespaced_job("job", "default", propagation_policy="Foreground")
    assert batch.read_namespaced_job("job", "default").metadata.finalizers == ["foregroundDeletion"]
    wait_until("the end of the job", lambda: not batch.list_namespaced_job("default").items)
    assert core.list_namespaced_pod("default").items == []


def test_a_new_namespace_can_be_used_and_ends_with_its_pods(core: Any) -> None:
    core.create_namespace({"metadata": {"name": "team"}})
    assert core.read_namespaced_service_account("default", "team").metadata.name == "default"
    core.create_namespaced_pod("team", pod_body("pod", "sleep", "60"))
    body = pod_body("brief", "sleep", "60")
    body["spec"]["terminationGracePeriodSeconds"] = 0
    core.delete_namespaced_pod("pod", "team", grace_period_seconds=0)
    core.create_namespaced_pod("team", body)
    core.delete_namespace("team")
    wait_until(
        "the end of the namespace",
        lambda: "team" not in [n.metadata.name for n in core.list_namespace().items],
    )
