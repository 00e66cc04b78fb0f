"""Jobs make pods until enough have succeeded."""

from __future__ import annotations

from typing import Any

from tests.kubernetes_standin_tests.pods import Pods, shell, wait_until


def job_body(script: str, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"flow": "f"}}, "spec": shell(script)["spec"]}
    return {"metadata": {"name": "job"}, "spec": {"template": template, **spec}}


def conditions(batch: Any) -> dict[str, str]:
    """Type and reason of the conditions that hold."""
    found = batch.read_namespaced_job_status("job", "default").status.conditions or []
    return {condition.type: condition.reason for condition in found if condition.status == "True"}


def finished(batch: Any) -> Any:
    """The job, as soon as it is complete or failed."""
    wait_until("the end of the job", lambda: conditions(batch).keys() & {"Complete", "Failed"})
    return batch.read_namespaced_job("job", "default")


def test_an_indexed_job_runs_one_pod_per_index(batch: Any, core: Any, pods: Pods) -> None:
    script = "echo $JOB_COMPLETION_INDEX on $HOSTNAME"
    batch.create_namespaced_job(
        "default", job_body(script, completionMode="Indexed", completions=3, parallelism=2)
    )
    job = finished(batch)
    assert (job.status.succeeded, job.status.completed_indexes) == (3, "0-2")
    assert conditions(batch)["Complete"] == "CompletionsReached"
    members = core.list_namespaced_pod(
        "default", label_selector="batch.kubernetes.io/job-name=job,flow=f"
    ).items
    for pod in members:
        index = pod.metadata.annotations["batch.kubernetes.io/job-completion-index"]
        assert pod.metadata.labels["batch.kubernetes.io/job-completion-index"] == index
        assert pod.metadata.name.startswith(f"job-{index}-")
        assert pod.metadata.owner_references[0].uid == job.metadata.uid
        assert pods.log(pod.metadata.name) == f"{index} on job-{index}\n"
    assert len(members) == 3


def test_a_gang_is_started_together(batch: Any, core: Any) -> None:
    batch.create_namespaced_job(
        "default", job_body("sleep 60", completionMode="Indexed", completions=3, parallelism=3)
    )
    wait_until("three running pods", lambda: batch.read_namespaced_job("job", "default").status.ready == 3)
    assert batch.read_namespaced_job("job", "default").status.active == 3
    options = {"propagation_policy": "Background", "grace_period_seconds": 0}
    batch.delete_namespaced_job("job", "default", **options)
    deleted = core.list_namespaced_pod("default").items
    assert all(pod.metadata.deletion_timestamp for pod in deleted)


def test_a_job_fails_when_its_pods_fail_too_often(batch: Any, core: Any) -> None:
    batch.create_namespaced_job("default", job_body("exit 1", backoffLimit=1))
    job = finished(batch)
    assert (job.status.failed, job.status.succeeded) == (2, None)
    assert conditions(batch)["Failed"] == "BackoffLimitExceeded"
    assert len(core.list_namespaced_pod("default").items) == 2


def test_a_failed_index_is_tried_again(batch: Any, core: Any, pods: Pods) -> None:
    core.create_namespaced_persistent_volume_claim("default", {
        "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    })  # fmt: skip
    script = "test -e /c/$JOB_COMPLETION_INDEX || { touch /c/$JOB_COMPLETION_INDEX; exit 1; }"
    body = job_body(script, completionMode="Indexed", completions=2, parallelism=2)
    spec = body["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "c", "mountPath": "/c"}]
    batch.create_namespaced_job("default", body)
    job = finished(batch)
    assert (job.status.succeeded, job.status.failed, job.status.completed_indexes) == (2, 2, "0-1")


def test_a_deadline_fails_a_job_and_ends_its_pods(batch: Any, core: Any) -> None:
    body = job_body("sleep 60", activeDeadlineSeconds=1)
    body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 0
    batch.create_namespaced_job("default", body)
    finished(batch)
    assert conditions(batch)["Failed"] == "DeadlineExceeded"
    wait_until("the end of the pod", lambda: not core.list_namespaced_pod("default").items)


def test_a_suspended_job_waits(batch: Any, core: Any) -> None:
    batch.create_namespaced_job("default", job_body("true", suspend=True))
    wait_until("the suspension", lambda: "Suspended" in conditions(batch))
    assert core.list_namespaced_pod("default").items == []
    batch.patch_namespaced_job("job", "default", {"spec": {"suspend": False}})
    assert finished(batch).status.succeeded == 1


def test_deleting_a_job_keeps_its_pods_unless_asked(batch: Any, core: Any) -> None:
    batch.create_namespaced_job("default", job_body("true"))
    finished(batch)
    _, _, headers = batch.delete_namespaced_job_with_http_info("job", "default")
    assert "child pods are preserved by default" in headers["Warning"]
    orphan = core.list_namespaced_pod("default").items[0]
    assert orphan.metadata.owner_references is None


def test_a_finished_job_expires(batch: Any) -> None:
    batch.create_namespaced_job("default", job_body("true", ttlSecondsAfterFinished=1))
    wait_until("the end of the job's time to live", lambda: not batch.list_namespaced_job("default").items)


def test_a_job_whose_pods_are_refused_says_so(batch: Any, core: Any) -> None:
    body = job_body("true")
    body["spec"]["template"]["spec"]["serviceAccountName"] = "ghost"
    batch.create_namespaced_job("default", body)

    def reasons() -> set[str]:
        selector = "involvedObject.kind=Job,involvedObject.name=job"
        return {
            event.reason for event in core.list_namespaced_event("default", field_selector=selector).items
        }

    wait_until("the event", lambda: "FailedCreate" in reasons())
    core.create_namespaced_service_account("default", {"metadata": {"name": "ghost"}})
    assert finished(batch).status.succeeded == 1
