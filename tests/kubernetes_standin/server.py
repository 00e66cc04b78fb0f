"""The server process: socket, application, kubeconfig files, orderly end."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.kubernetes_standin import linux
from tests.kubernetes_standin.admin import Admin
from tests.kubernetes_standin.api import ADMIN_USER, Api, authorize
from tests.kubernetes_standin.chaos import SeenRequest
from tests.kubernetes_standin.cluster import Cluster
from tests.kubernetes_standin.container_runner import ContainerRunner
from tests.kubernetes_standin.exec_session import ExecSession
from tests.kubernetes_standin.resources import PODS
from tests.kubernetes_standin.settings import Settings
from tests.kubernetes_standin.status import ApiError, bad_request, not_found, unknown_path
from tests.kubernetes_standin.target import parse

NO_RIGHTS_USER = "standin-nobody"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def build_app(cluster: Cluster) -> Starlette:
    """The ASGI application of a cluster."""
    api = Api(cluster)

    async def exec_endpoint(websocket: WebSocket) -> None:
        await _exec(cluster, api, websocket)

    routes = [
        *Admin(cluster).routes(),
        WebSocketRoute("/{path:path}", exec_endpoint),
        Route("/{path:path}", api.__call__, methods=METHODS),
    ]
    return Starlette(routes=routes)


async def _exec(cluster: Cluster, api: Api, websocket: WebSocket) -> None:
    """Answer a WebSocket: an exec session, or the ``Status`` that refuses it."""
    seen = {"verb": "get", "resource": "pods/exec", "user": "", "body": None}
    code = 101
    try:
        seen["user"] = user = api.authenticate(websocket.headers.get("authorization", ""))
        target = parse(websocket.url.path)
        if target.subresource != "exec":
            raise unknown_path()
        authorize(user, "get", target)
        cluster.chaos.raise_fault("get", "pods/exec")
        container = _container(
            cluster, target.namespace, target.name, websocket.query_params.get("container", "")
        )
        await ExecSession(websocket, container).run()
    except ApiError as error:
        code = error.code
        await websocket.send_denial_response(JSONResponse(error.body(), error.code))
    except Exception:
        cluster.kubelet.report_fault(traceback.format_exc())
        raise
    query = {name: ",".join(websocket.query_params.getlist(name)) for name in websocket.query_params}
    cluster.chaos.requests.append(
        SeenRequest(method="GET", path=websocket.url.path, query=query, code=code, **seen)  # type: ignore[arg-type]
    )


def _container(cluster: Cluster, namespace: str, pod_name: str, name: str) -> ContainerRunner:
    pod = cluster.store.get(PODS, namespace, pod_name)
    runner = cluster.kubelet.runner(pod)
    if runner is None:
        raise not_found("pods", "", pod_name)
    name = name or pod["spec"]["containers"][0]["name"]
    container = runner.container(name)
    if container is None:
        raise bad_request(f"container {name} is not valid for pod {pod_name}")
    if container.process is None:
        raise ApiError(
            500,
            "InternalError",
            f'Internal error occurred: unable to upgrade connection: container not found ("{name}")',
        )
    return container


class _Server(uvicorn.Server):
    """Ends the pods before the connections."""

    def __init__(self, config: uvicorn.Config, cluster: Cluster) -> None:
        super().__init__(config)
        self.cluster = cluster

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.cluster.kubelet.shut_down()
        self.force_exit = True
        await super().shutdown(sockets)


async def serve(settings: Settings, ready_file: Path, *, exit_with_stdin: bool) -> None:
    """Serve until SIGTERM, SIGINT or, if asked, the end of standard input."""
    can_mount = _leave_machine_mounts()
    listener = socket.create_server((settings.address, settings.port))
    tokens = {secrets.token_urlsafe(24): ADMIN_USER, secrets.token_urlsafe(24): NO_RIGHTS_USER}
    settings = replace(
        settings, port=listener.getsockname()[1], tokens=tokens, admin_token=secrets.token_urlsafe(24)
    )
    certificate, options = "", {}
    if settings.tls:
        from tests.kubernetes_standin.certificate import make_certificate

        certificate_file, key_file = make_certificate(settings.state_directory, settings.address)
        certificate = certificate_file.read_text()
        options = {"ssl_certfile": str(certificate_file), "ssl_keyfile": str(key_file)}
    cluster = await Cluster.start(settings, certificate, can_mount=can_mount)
    config = uvicorn.Config(
        build_app(cluster), log_level="critical", access_log=False, lifespan="off", ws="websockets-sansio",
        timeout_keep_alive=60, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    server = _Server(config, cluster)
    announcing = asyncio.create_task(_announce(server, settings, ready_file, certificate))
    watching = asyncio.create_task(_watch_stdin(server)) if exit_with_stdin else None
    await server.serve(sockets=[listener])
    announcing.cancel()
    if watching is not None:
        watching.cancel()


def _leave_machine_mounts() -> bool:
    """Take a private copy of the mounts, so that ours end with this process; whether that is permitted."""
    try:
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    except PermissionError:
        return False
    return True


async def _watch_stdin(server: _Server) -> None:
    """The process that started us holds the other end of standard input; when it dies, so do we."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
    server.should_exit = True


async def _announce(server: _Server, settings: Settings, ready_file: Path, certificate: str) -> None:
    """Write the kubeconfig files, and the ready file when the server answers."""
    while not server.started:
        await asyncio.sleep(0.01)
    scheme = "https" if settings.tls else "http"
    url = f"{scheme}://{settings.address}:{settings.port}"
    names = {ADMIN_USER: "kubeconfig", NO_RIGHTS_USER: "kubeconfig-no-rights"}
    ready: dict[str, Any] = {"url": url, "pid": os.getpid(), "admin_token": settings.admin_token}
    for token, user in settings.tokens.items():
        path = settings.state_directory / names[user]
        _write_private(path, yaml.safe_dump(_kubeconfig(settings, url, user, token)))
        ready[names[user].replace("-", "_")] = str(path)
        ready["token" if user == ADMIN_USER else "no_rights_token"] = token
    ready["certificate"] = certificate
    ready["isolation"] = server.cluster.kubelet.isolation
    temporary = ready_file.with_suffix(".new")
    _write_private(temporary, json.dumps(ready))
    temporary.replace(ready_file)


def _write_private(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content)


def _kubeconfig(settings: Settings, url: str, user: str, token: str) -> dict[str, Any]:
    cluster: dict[str, Any] = {"server": url}
    if settings.tls:
        cluster["certificate-authority"] = str(settings.state_directory / "server.crt")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "standin", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [
            {"name": "standin", "context": {"cluster": "standin", "user": user, "namespace": "default"}}
        ],
        "current-context": "standin",
    }
