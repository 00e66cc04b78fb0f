"""How the ends of pods are told apart."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome, final_outcome, start_problem

NOW = datetime.datetime(2026, 11, 23, 20, 0, tzinfo=datetime.timezone.utc)


def pod(status: dict[str, Any], **metadata: Any) -> Any:
    given = {
        "metadata": {"name": "p", "uid": "u", **metadata},
        "spec": {"nodeName": "n", "containers": []},
        "status": status,
    }
    return PodGenerator.deserialize_model_dict(given)


def container(state: dict[str, Any], name: str = "base") -> dict[str, Any]:
    return {"name": name, "state": state, "image": "", "imageID": "", "ready": False, "restartCount": 0}


def terminated(code: int, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return container({"terminated": {"exitCode": code, "reason": reason, **more}})


def waiting(reason: str, message: str = "", name: str = "base") -> dict[str, Any]:
    return container({"waiting": {"reason": reason, "message": message}}, name)


DISRUPTED = {"type": "DisruptionTarget", "status": "True", "message": "why"}

ENDS: list[tuple[dict[str, Any], str, int | None, int | None]] = [
    ({"phase": "Succeeded", "containerStatuses": [terminated(0, "Completed")]}, "Completed", 0, None),
    ({"phase": "Running", "containerStatuses": [terminated(0, "Completed")]}, "Completed", 0, None),
    ({"phase": "Succeeded"}, "Completed", None, None),
    ({"phase": "Failed", "containerStatuses": [terminated(1, "Error")]}, "Error", 1, None),
    ({"phase": "Failed", "containerStatuses": [terminated(139, "Error")]}, "Error", 139, 11),
    ({"phase": "Failed", "containerStatuses": [terminated(137, "OOMKilled")]}, "OOMKilled", 137, 9),
    ({"phase": "Failed", "containerStatuses": [terminated(255, "Error", signal=6)]}, "Error", 255, 6),
    ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "Evicted", None, None),
    (
        {"phase": "Failed", "reason": "Evicted", "containerStatuses": [terminated(137, "Error")]},
        "Evicted",
        137,
        9,
    ),
    (
        {"phase": "Failed", "reason": "DeadlineExceeded", "containerStatuses": [terminated(143, "Error")]},
        "DeadlineExceeded",
        143,
        15,
    ),
    (
        {
            "phase": "Failed",
            "conditions": [{**DISRUPTED, "reason": "EvictionByEvictionAPI"}],
            "containerStatuses": [terminated(143, "Error")],
        },
        "Evicted",
        143,
        15,
    ),
    (
        {"phase": "Failed", "conditions": [{**DISRUPTED, "reason": "PreemptionByScheduler"}]},
        "Preempted",
        None,
        None,
    ),
    ({"phase": "Failed", "conditions": [{**DISRUPTED, "reason": "DeletionByPodGC"}]}, "Lost", None, None),
    ({"phase": "Failed", "reason": "OutOfcpu", "message": "no room"}, "OutOfcpu", None, None),
    (
        {"phase": "Failed", "containerStatuses": [terminated(128, "StartError", message="no python")]},
        "StartError",
        128,
        None,
    ),
    (
        {
            "phase": "Failed",
            "initContainerStatuses": [
                container(
                    {"terminated": {"exitCode": 1, "reason": "Error", "message": "no cp"}}, "place-runtime"
                )
            ],
        },
        "InitContainerFailed",
        None,
        None,
    ),
    ({"phase": "Unknown", "reason": "NodeLost", "message": "silent"}, "Lost", None, None),
]


@pytest.mark.parametrize(("status", "reason", "code", "signal"), ENDS)
def test_the_end_of_a_pod_has_a_reason(
    status: dict[str, Any], reason: str, code: int | None, signal: int | None
) -> None:
    found = final_outcome(pod(status), NOW)
    assert found is not None
    assert (found.reason, found.exit_code, found.signal) == (reason, code, signal)
    assert (found.pod_name, found.node) == ("p", "n")


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Pending"},
        {"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]},
        {"phase": "Running", "containerStatuses": [container({"running": {}})]},
        {
            "phase": "Running",
            "containerStatuses": [container({"terminated": {"exitCode": 0}}, "istio-proxy")],
        },
    ],
)
def test_a_living_pod_has_no_end(status: dict[str, Any]) -> None:
    assert final_outcome(pod(status), NOW) is None


def test_a_pod_that_should_be_deleted_long_since_is_lost() -> None:
    status = {"phase": "Running", "containerStatuses": [container({"running": {}})]}
    recently = NOW - datetime.timedelta(seconds=30)
    long_since = NOW - datetime.timedelta(seconds=90)
    assert final_outcome(pod(status, deletionTimestamp=recently.isoformat()), NOW) is None
    found = final_outcome(pod(status, deletionTimestamp=long_since.isoformat()), NOW)
    assert found is not None
    assert found.reason == "Lost"


@pytest.mark.parametrize(
    ("status", "waited", "reason"),
    [
        ({"containerStatuses": [waiting("InvalidImageName")]}, 0, "InvalidImageName"),
        ({"containerStatuses": [waiting("ErrImagePull", "not found")]}, 0, "ErrImagePull"),
        (
            {"containerStatuses": [waiting("ImagePullBackOff", "Back-off pulling image")]},
            0,
            "ImagePullBackOff",
        ),
        ({"containerStatuses": [waiting("ErrImagePull", "429 Too Many Requests")]}, 0, None),
        ({"containerStatuses": [waiting("ErrImagePull", "429 Too Many Requests")]}, 700, "StartTimeout"),
        ({"initContainerStatuses": [waiting("ErrImagePull", "denied", "place-runtime")]}, 0, "ErrImagePull"),
        ({"containerStatuses": [waiting("CreateContainerConfigError", 'secret "a" not found')]}, 5, None),
        (
            {"containerStatuses": [waiting("CreateContainerConfigError", 'secret "a" not found')]},
            30,
            "CreateContainerConfigError",
        ),
        ({"containerStatuses": [waiting("ContainerCreating")]}, 599, None),
        ({"containerStatuses": [waiting("ContainerCreating")]}, 600, "StartTimeout"),
        ({"containerStatuses": [container({"running": {}})]}, 6000, None),
    ],
)
def test_a_pod_that_will_not_start_is_not_waited_for(
    status: dict[str, Any], waited: float, reason: str | None
) -> None:
    found = start_problem(pod({"phase": "Pending", **status}), waited, 600)
    assert (found.reason if found else None) == reason


def test_a_start_that_took_too_long_says_what_it_waited_for() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes: no gpu",
    }
    found = start_problem(pod({"phase": "Pending", "conditions": [condition]}), 10, 10)
    assert found is not None
    assert "10 s" in found.message
    assert "Unschedulable: 0/3 nodes: no gpu" in found.message


def test_the_summary_is_one_line_that_names_signal_pod_and_node() -> None:
    outcome = PodOutcome("Failed", "OOMKilled", 137, 9, "used\nmore", "p", "n")
    assert outcome.summary == "OOMKilled, killed by SIGKILL (pod p on node n): used more"
    assert PodOutcome("Failed", "Error", 3, pod_name="p").summary == "Error, exit code 3 (pod p)"
