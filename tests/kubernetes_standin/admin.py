"""``/_standin``: orders faults, and tells what happened. It has a token of its own."""

from __future__ import annotations

import hmac
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.kubernetes_standin.chaos import Fault, LogDrop
from tests.kubernetes_standin.cluster import Cluster
from tests.kubernetes_standin.pod_runner import PodRunner, Verdict
from tests.kubernetes_standin.resources import PODS
from tests.kubernetes_standin.status import ApiError, bad_request, unauthorized

Handler = Callable[[Request, dict[str, Any]], Awaitable[Any]]
EVICTION_GRACE_SECONDS = 0.0


class Admin:
    """The orders a test can give."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def routes(self) -> list[Route]:
        """Routes below ``/_standin``."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/info", self._info),
            ("GET", "/requests", self._requests),
            ("DELETE", "/requests", self._forget_requests),
            ("GET", "/pods", self._pods),
            ("GET", "/errors", self._errors),
            ("POST", "/faults", self._fault),
            ("DELETE", "/faults", self._forget_faults),
            ("POST", "/log-drops", self._log_drop),
            ("POST", "/start-delay", self._start_delay),
            ("POST", "/reset", self._reset),
            ("POST", "/pods/{namespace}/{name}/kill", self._kill),
            ("POST", "/pods/{namespace}/{name}/oom", self._out_of_memory),
            ("POST", "/pods/{namespace}/{name}/evict", self._evict),
            ("POST", "/pods/{namespace}/{name}/vanish", self._vanish),
        ]
        return [
            Route(f"/_standin{path}", self._guarded(handler), methods=[method])
            for method, path, handler in table
        ]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                token = request.headers.get("authorization", "").removeprefix("Bearer ")
                if not hmac.compare_digest(token, self.cluster.settings.admin_token):
                    raise unauthorized()
                body = await request.json() if await request.body() else {}
                return JSONResponse(await handler(request, body))
            except ApiError as error:
                return JSONResponse(error.body(), error.code)

        return endpoint

    async def _info(self, request: Request, body: dict[str, Any]) -> Any:
        del request, body
        return {
            "isolation": self.cluster.kubelet.isolation,
            "state_directory": str(self.cluster.settings.state_directory),
        }

    async def _requests(self, request: Request, body: dict[str, Any]) -> Any:
        del request, body
        return self.cluster.chaos.seen()

    async def _forget_requests(self, request: Request, body: dict[str, Any]) -> Any:
        del request, body
        self.cluster.chaos.requests.clear()
        return {}

    async def _pods(self, request: Request, body: dict[str, Any]) -> Any:
        del request, body
        return list(self.cluster.pod_records.values())

    async def _errors(self, request: Request, body: dict[str, Any]) -> Any:
        del request, body
        return self.cluster.kubelet.internal_errors

    async def _fault(self, request: Request, body: dict[str, Any]) -> Any:
        del request
        self.cluster.chaos.faults.append(_made(Fault, body))
        return {}

    async def _forget_faults(self, request: Request, body: dict[str, Any]) -> Any:
        del request, body
        self.cluster.chaos.faults.clear()
        self.cluster.chaos.log_drops.clear()
        return {}

    async def _log_drop(self, request: Request, body: dict[str, Any]) -> Any:
        del request
        self.cluster.chaos.log_drops.append(_made(LogDrop, body))
        return {}

    async def _start_delay(self, request: Request, body: dict[str, Any]) -> Any:
        del request
        self.cluster.chaos.delay_seconds = float(body["seconds"])
        return {}

    async def _reset(self, request: Request, body: dict[str, Any]) -> Any:
        del request, body
        await self.cluster.reset()
        return {}

    async def _kill(self, request: Request, body: dict[str, Any]) -> Any:
        number = signal.Signals[body.get("signal", "SIGKILL")]
        return _demand_signalled(self._runner(request).kill(number, body.get("container")))

    async def _out_of_memory(self, request: Request, body: dict[str, Any]) -> Any:
        runner = self._runner(request)
        container = body.get("container") or runner.spec["containers"][0]["name"]
        return _demand_signalled(runner.kill(signal.SIGKILL, container, out_of_memory=True))

    async def _evict(self, request: Request, body: dict[str, Any]) -> Any:
        message = body.get("message") or "The node was low on resource: memory."
        runner = self._runner(request)
        runner.event("Warning", "Evicted", message)
        runner.stop(EVICTION_GRACE_SECONDS, Verdict("Evicted", message))
        return {}

    async def _vanish(self, request: Request, body: dict[str, Any]) -> Any:
        del body
        runner = self._runner(request)
        self.cluster.store.remove(PODS, runner.namespace, runner.name)
        return {}

    def _runner(self, request: Request) -> PodRunner:
        pod = self.cluster.store.get(PODS, request.path_params["namespace"], request.path_params["name"])
        runner = self.cluster.kubelet.runner(pod)
        if runner is None:
            raise bad_request(f"pod {pod['metadata']['name']} has never run")
        return runner


def _demand_signalled(containers: list[str]) -> dict[str, list[str]]:
    if not containers:
        raise bad_request("no such container is running")
    return {"containers": containers}


def _made(kind: type[Any], body: dict[str, Any]) -> Any:
    try:
        return kind(**body)
    except TypeError as error:
        raise bad_request(str(error)) from error
