"""Start and stop a stand-in from a test, and give it orders."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from tests.kubernetes_standin.settings import PROJECT_ROOT, Image

START_SECONDS = 120.0
STOP_SECONDS = 60.0


class StandinFault(Exception):
    """The stand-in itself failed: a bug in it, not in what is being tested. The message holds its tracebacks."""


class KubernetesStandin:
    """A stand-in as a subprocess; a context manager, or ``start`` and ``stop``.

    Args:
        directory: where it keeps its pods' files and logs; made if needed.
        images: what image names stand for; the first match wins, the default image is this virtual environment.
        capacity: what the node offers beside the default, e.g. ``{"nvidia.com/gpu": "8"}``.
        node_labels: labels of the node beside the usual ones.
        tls: serve HTTPS.
        restart_backoff_seconds: first pause between restarts of a container; it doubles.
        isolation: insist on ``full``, ``user`` or ``none``; by default the strongest that this machine permits.
    """

    def __init__(
        self,
        directory: Path,
        *,
        images: Sequence[Image] = (),
        capacity: dict[str, str] | None = None,
        node_labels: dict[str, str] | None = None,
        tls: bool = False,
        restart_backoff_seconds: float = 0.2,
        isolation: str = "",
    ) -> None:
        self.directory = directory
        self._options = {
            "images": [asdict(image) for image in images],
            "capacity": capacity or {},
            "node_labels": node_labels or {},
            "restart_backoff_seconds": restart_backoff_seconds,
            "isolation": isolation,
        }
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, str] = {}

    def start(self) -> Self:
        """Start it and wait until it answers. Raises ``RuntimeError`` with its output when it does not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        ready_file, output = self.directory / "ready.json", self.directory / "server.log"
        ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.kubernetes_standin", "--port", "0", "--exit-with-stdin"]
        command += ["--state-dir", str(self.directory / "state"), "--ready-file", str(ready_file)]
        command += ["--options", json.dumps(self._options), *(["--tls"] if self._tls else [])]
        with output.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not ready_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end()
                raise RuntimeError(f"the Kubernetes stand-in did not start:\n{output.read_text()}")
            time.sleep(0.02)
        self._ready = json.loads(ready_file.read_text())
        return self

    def stop(self) -> None:
        """End every pod and the server. Raises ``StandinFault`` when the stand-in itself had failed."""
        if self._process is None:
            return
        try:
            faults = self.admin.faults_of_the_standin() if self._process.poll() is None else self._crashed()
        finally:
            self._end()
        if faults:
            raise StandinFault("\n".join(faults))

    def discard(self) -> None:
        """End the server, whatever its state; for tests that killed it themselves."""
        self._end()

    def _crashed(self) -> list[str]:
        return ["the server ended by itself:\n" + (self.directory / "server.log").read_text()]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return self._ready["url"]

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file with all rights."""
        return Path(self._ready["kubeconfig"])

    @property
    def kubeconfig_no_rights(self) -> Path:
        """A kubeconfig file whose user is known but may do nothing: 403."""
        return Path(self._ready["kubeconfig_no_rights"])

    @property
    def token(self) -> str:
        """The bearer token with all rights."""
        return self._ready["token"]

    @property
    def pid(self) -> int:
        """The server's process id."""
        return int(self._ready["pid"])

    @property
    def isolation(self) -> str:
        """``full``, ``user`` or ``none``: what this machine permits; see README.md."""
        return self._ready["isolation"]

    @property
    def airflow_connection(self) -> str:
        """A value for ``AIRFLOW_CONN_KUBERNETES_DEFAULT``."""
        extra = {"kube_config_path": str(self.kubeconfig), "namespace": "default", "in_cluster": False}
        return json.dumps({"conn_type": "kubernetes", "extra": extra})

    @property
    def admin(self) -> AdminClient:
        """Orders for the stand-in."""
        return AdminClient(self.url, self._ready["admin_token"], self._ready["certificate"])


class AdminClient:
    """The orders of ``/_standin``; each method is one request."""

    def __init__(self, url: str, token: str, certificate: str = "") -> None:
        self._url = url
        self._token = token
        self._certificate = certificate

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/_standin{path}", data, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        context = None
        if self._certificate:
            import ssl

            context = ssl.create_default_context(cadata=self._certificate)
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"the stand-in refused {path}: {error.read().decode()}") from error

    def kill(
        self, name: str, *, namespace: str = "default", signal: str = "SIGKILL", container: str | None = None
    ) -> None:
        """Signal the first process of a container, of all when None: exit code 128 + the signal's number."""
        self._call("POST", f"/pods/{namespace}/{name}/kill", {"signal": signal, "container": container})

    def out_of_memory(self, name: str, *, namespace: str = "default", container: str | None = None) -> None:
        """Kill a container (the first when None) as the kernel does: 137, ``OOMKilled``."""
        self._call("POST", f"/pods/{namespace}/{name}/oom", {"container": container})

    def evict(self, name: str, *, namespace: str = "default", message: str = "") -> None:
        """Evict a pod: killed, phase Failed, reason ``Evicted``; the object stays."""
        self._call("POST", f"/pods/{namespace}/{name}/evict", {"message": message})

    def vanish(self, name: str, *, namespace: str = "default") -> None:
        """Lose the pod's node: its processes die and the object is gone at once."""
        self._call("POST", f"/pods/{namespace}/{name}/vanish", {})

    def fail(
        self,
        verb: str = "create",
        resource: str = "pods",
        *,
        times: int = 1,
        code: int = 500,
        retry_after: int | None = None,
        skip: int = 0,
    ) -> None:
        """Fail ``times`` matching requests, once ``skip`` of them have passed; verb and resource may be ``*``."""
        order = {"verb": verb, "resource": resource, "times": times, "code": code}
        self._call("POST", "/faults", {**order, "retry_after": retry_after, "skip": skip})

    def drop_logs(self, *, lines: int = 0, times: int = 1, pod: str = "") -> None:
        """Cut the next ``times`` log connections after ``lines`` lines."""
        self._call("POST", "/log-drops", {"lines": lines, "times": times, "pod": pod})

    def forget_faults(self) -> None:
        """No more of what ``fail`` and ``drop_logs`` ordered."""
        self._call("DELETE", "/faults")

    def delay_starts(self, seconds: float) -> None:
        """New pods wait so long before they are scheduled."""
        self._call("POST", "/start-delay", {"seconds": seconds})

    def requests(self, *, verb: str | None = None, resource: str | None = None) -> list[dict[str, Any]]:
        """Every request seen: method, path, query, verb, resource, user, code, body, time."""
        seen: list[dict[str, Any]] = self._call("GET", "/requests")
        return [
            item for item in seen if verb in (None, item["verb"]) and resource in (None, item["resource"])
        ]

    def forget_requests(self) -> None:
        """Begin the list of requests anew."""
        self._call("DELETE", "/requests")

    def pods(self) -> list[dict[str, Any]]:
        """Every pod ever created: ``created`` (as first stored), ``last`` (its latest state), ``deleted``."""
        records: list[dict[str, Any]] = self._call("GET", "/pods")
        return records

    def faults_of_the_standin(self) -> list[str]:
        """Tracebacks of the stand-in itself; a test should find none."""
        faults: list[str] = self._call("GET", "/errors")
        return faults

    def reset(self) -> None:
        """Kill every pod and forget every object, request and fault; the server and its tokens stay."""
        self._call("POST", "/reset", {})
