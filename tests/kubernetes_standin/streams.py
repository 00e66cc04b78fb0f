"""Answers that go on: watches and logs."""

from __future__ import annotations

import datetime
import json
import time
import traceback
from collections.abc import AsyncIterator

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from tests.kubernetes_standin.cluster import Cluster
from tests.kubernetes_standin.container_log import ContainerLog, LogOptions
from tests.kubernetes_standin.pod_status import ContainerRecord
from tests.kubernetes_standin.query import flag, number
from tests.kubernetes_standin.resources import PODS
from tests.kubernetes_standin.status import ApiError, Json, bad_request
from tests.kubernetes_standin.store import WatchEvent
from tests.kubernetes_standin.target import Target


class ConnectionCut(Exception):
    """Ends a log connection without its proper end, because a test ordered it."""


async def reported(cluster: Cluster, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """``body``; a fault of the stand-in itself is reported, since a stream has no other way to tell."""
    try:
        async for piece in body:
            yield piece
    except Exception:
        cluster.kubelet.report_fault(traceback.format_exc())
        raise


async def watch_body(events: AsyncIterator[WatchEvent]) -> AsyncIterator[bytes]:
    """One JSON object a line; an error ends the watch with an ERROR event."""
    try:
        async for event in events:
            yield _line(event.kind, event.item)
    except ApiError as error:
        yield _line("ERROR", error.body())


def _line(kind: str, item: Json) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"


async def log_response(cluster: Cluster, target: Target, query: dict[str, str]) -> Response:
    """``GET pods/NAME/log``. Raises ``ApiError``."""
    pod = cluster.store.get(PODS, target.namespace, target.name)
    options = _options(query)
    log = _find_log(cluster, pod, query.get("container", ""), previous=flag(query.get("previous")))
    cut = cluster.chaos.take_log_drop(target.name)
    body = reported(cluster, log.read(options))
    if cut is not None:
        return StreamingResponse(_cut_after(body, cut), media_type="text/plain")
    if options.follow:
        return StreamingResponse(body, media_type="text/plain")
    return PlainTextResponse(b"".join([piece async for piece in body]))


def _find_log(cluster: Cluster, pod: Json, container: str, *, previous: bool) -> ContainerLog:
    name = pod["metadata"]["name"]
    names = [
        entry["name"] for kind in ("containers", "initContainers") for entry in pod["spec"].get(kind) or []
    ]
    if not container:
        mains = [entry["name"] for entry in pod["spec"]["containers"]]
        container = (pod["metadata"].get("annotations") or {}).get(
            "kubectl.kubernetes.io/default-container", ""
        )
        if not container and len(mains) > 1:
            raise bad_request(
                f"a container name must be specified for pod {name}, choose one of: [{' '.join(mains)}]"
            )
        container = container or mains[0]
    if container not in names:
        raise bad_request(f"container {container} is not valid for pod {name}")
    runner = cluster.kubelet.runner(pod)
    found = runner.container(container) if runner is not None else None
    record = found.record if found is not None else None
    if record is None or not record.logs:
        raise bad_request(
            f'container "{container}" in pod "{name}" is waiting to start: {_waiting_reason(record)}'
        )
    if previous:
        if len(record.logs) < 2:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return record.logs[-2]
    return record.logs[-1]


def _waiting_reason(record: ContainerRecord | None) -> str:
    if record is None:
        return "ContainerCreating"
    return str(record.state.get("waiting", {}).get("reason", "ContainerCreating"))


def _options(query: dict[str, str]) -> LogOptions:
    seconds = _positive(query, "sinceSeconds")
    since = None if seconds is None else time.time() - seconds
    if query.get("sinceTime"):
        try:
            since = datetime.datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00")).timestamp()
        except ValueError as error:
            raise bad_request(f'Invalid value: "{query["sinceTime"]}": sinceTime is not a time') from error
    return LogOptions(
        follow=flag(query.get("follow")),
        timestamps=flag(query.get("timestamps")),
        tail_lines=_positive(query, "tailLines", least=0),
        since=since,
        limit_bytes=_positive(query, "limitBytes"),
    )


def _positive(query: dict[str, str], name: str, least: int = 1) -> int | None:
    value = number(query.get(name), name)
    if value is None:
        return None
    if value < least:
        detail = f"{name}: Invalid value: {value:g}: must be greater than or equal to {least}"
        raise ApiError(422, "Invalid", f'PodLogOptions "" is invalid: {detail}', {"kind": "PodLogOptions"})
    return int(value)


async def _cut_after(body: AsyncIterator[bytes], lines: int) -> AsyncIterator[bytes]:
    left = lines
    async for piece in body:
        for line in piece.splitlines(keepends=True):
            if left == 0:
                raise ConnectionCut
            yield line
            left -= 1
    if left >= 0:
        raise ConnectionCut
