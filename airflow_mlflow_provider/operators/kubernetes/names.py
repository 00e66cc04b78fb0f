"""What a pod is called, and how it is found again.

A pod's name is for people and must be free; its labels are for selectors and are cut to what Kubernetes allows; its
annotations hold the exact ids. One label, :data:`UNIT_LABEL`, is a digest of everything that makes two requests the same
work, so that a pod is never taken for another one because their shortened names agree.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping

from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.runtime.request import UnitRequest

PREFIX = "airflow-mlflow-provider"
UNIT_LABEL = f"{PREFIX}/unit"
ATTEMPT_LABEL = f"{PREFIX}/attempt"
NODE_LABEL = f"{PREFIX}/node"
WARM_LABEL = f"{PREFIX}/warm"
TASK_INSTANCE_ANNOTATION = f"{PREFIX}/task-instance"

_NAME_LENGTH = 63
_LABEL_LENGTH = 63
_SUFFIX_LENGTH = 8
_RUN_TAIL = 10
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9._-]+")


def pod_name(request: UnitRequest, try_number: int) -> str:
    """A new name for a pod: flow, step, task, the end of the run id, try and eight random characters.

    It is a valid RFC 1123 label of at most 63 characters, so that it also is the pod's host name. No two calls give the
    same name, and the longest parts are cut first.
    """
    # The end of a run id tells runs apart: it holds the digest or the random part.
    run = _plain(request.run)[-_RUN_TAIL:].lstrip("-")
    parts = [_plain(part) for part in (request.flow, request.steps[0], tasks_text(request))]
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    tail = [part for part in (run, f"t{try_number}", suffix) if part]
    budget = _NAME_LENGTH - len("-".join(tail)) - 1
    return "-".join([*_fit([part for part in parts if part], budget), *tail])


def warm_pod_name(request: UnitRequest, kind: str, slot: int) -> str:
    """The name of a warm pod: flow, kind and number, so that there is one of each number.

    Args:
        request: What the first step in it is.
        kind: Digest of what the steps share that may run in it.
        slot: Its number.
    """
    tail = ["warm", kind[:12], str(slot)]
    return "-".join([*_fit([_plain(request.flow)], _NAME_LENGTH - len("-".join(tail)) - 1), *tail])


def warm_labels(request: UnitRequest, kind: str) -> dict[str, str]:
    """The labels of a warm pod; without those by which the pods of a unit are found."""
    values = {"app.kubernetes.io/managed-by": PREFIX, f"{PREFIX}/flow": request.flow, WARM_LABEL: kind}
    return {key: label_value(value) for key, value in values.items()}


def tasks_text(request: UnitRequest) -> str:
    """The task ids of a request, shortened for people: ``0002-0007``, or ``0000-and-49-more`` for a shard."""
    first = task_id(request.paths[0] if request.node is None else (*request.paths[0], request.node))
    more = len(request.paths) - 1
    return f"{first}-and-{more}-more" if more else first


def unit_digest(request: UnitRequest) -> str:
    """32 hex digits that two requests share if they run the same unit of the same run in the same store.

    The nodes of a gang share it; :data:`NODE_LABEL` tells their pods apart.
    """
    identity = [request.store, request.flow, request.run, request.steps, request.paths]
    text = json.dumps(identity, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def labels(request: UnitRequest, try_number: int) -> dict[str, str]:
    """The labels that a pod of this package carries; every value is valid, whatever the ids are."""
    values = {
        "app.kubernetes.io/managed-by": PREFIX,
        f"{PREFIX}/flow": request.flow,
        f"{PREFIX}/run": request.run,
        f"{PREFIX}/step": request.steps[0],
        f"{PREFIX}/task": tasks_text(request),
        f"{PREFIX}/try": str(try_number),
        ATTEMPT_LABEL: str(request.attempt),
        UNIT_LABEL: unit_digest(request),
        **({} if request.node is None else {NODE_LABEL: str(request.node)}),
    }
    return {key: label_value(value) for key, value in values.items()}


def exact_ids(request: UnitRequest, try_number: int, task_instance: str) -> dict[str, str]:
    """The exact ids.

    Args:
        request: What the pod runs.
        try_number: Airflow's, from 1.
        task_instance: Airflow's id of this try of the task instance, unlike any other.
    """
    airflow: Mapping[str, object] = request.airflow
    values: dict[str, object] = {
        "store": request.store,
        "flow": request.flow,
        "run": request.run,
        "steps": ",".join(request.steps),
        "task": tasks_text(request),
        "attempt": request.attempt,
        "try-number": try_number,
        "dag-id": airflow.get("dag_id"),
        "dag-run-id": airflow.get("dag_run_id"),
        "task-id": airflow.get("task_id"),
        "map-index": airflow.get("map_index"),
    }
    exact = {f"{PREFIX}/{key}": str(value) for key, value in values.items() if value is not None}
    return {**exact, TASK_INSTANCE_ANNOTATION: task_instance}


def selector(request: UnitRequest) -> str:
    """Finds every pod that was ever made for these tasks, of any try."""
    return f"app.kubernetes.io/managed-by={PREFIX},{UNIT_LABEL}={unit_digest(request)}"


def label_value(text: str) -> str:
    """``text`` as the value of a label: itself where that is allowed, else shortened and with a digest."""
    safe = _NOT_IN_LABELS.sub("-", text).strip("-._")
    if safe == text and len(text) <= _LABEL_LENGTH:
        return text
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    readable = safe[: _LABEL_LENGTH - len(digest) - 1].rstrip("-._")
    return f"{readable}-{digest}" if readable else digest


def _plain(text: str) -> str:
    return _NOT_IN_NAMES.sub("-", text.lower()).strip("-")


def _fit(parts: list[str], length: int) -> list[str]:
    """Cut the longest part again and again until the parts, joined, are at most ``length`` long."""
    parts = list(parts)
    while len("-".join(parts)) > length:
        longest = max(range(len(parts)), key=lambda index: len(parts[index]))
        parts[longest] = parts[longest][:-1]
    return [part.rstrip("-") for part in parts if part.rstrip("-")]
