"""The calls to the Kubernetes API that a pod needs, with patience.

An API server that answers 429 or 5xx, or not at all, is asked again with growing pauses; a credential that has expired is
renewed once. A pod is created once whatever is repeated: a creation whose answer was lost is recognised by its name, which
nobody else has.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from airflow_mlflow_provider.operators.kubernetes.names import PREFIX, TASK_INSTANCE_ANNOTATION
from airflow_mlflow_provider.operators.kubernetes.refusal import status_reason

T = TypeVar("T")

TRANSIENT = frozenset({429, 500, 502, 503, 504})
# Pauses double from the first to the last.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
# How long an API server may be away when a pod is asked for, and while one is running.
START_PATIENCE_S = 60.0
WATCH_PATIENCE_S = 600.0
# A request that gets no answer within this many seconds is repeated.
REQUEST_TIMEOUT_S = 30.0
_WATCH_BYTES = 1 << 16

_log = logging.getLogger(__name__)


class ClientHolder(Protocol):
    """What has a Kubernetes client: the pod operator."""

    @property
    def client(self) -> Any:
        """A ``CoreV1Api``."""


@dataclass
class _Holder:
    client: Any


class PodApi:
    """Pods of one namespace, as one Kubernetes connection sees them.

    Args:
        operator: The pod operator whose client is used.
        namespace: Where the pods are.
        stopped: Tells whether to stop asking, because the task was killed.
    """

    def __init__(self, operator: ClientHolder, namespace: str, stopped: Callable[[], bool]) -> None:
        self._operator = operator
        self._stopped = stopped
        self.namespace = namespace

    def create(self, pod: Any) -> Any:
        """Create a pod and return it as the API server has it.

        Raises:
            ApiException: It was refused, or the server kept failing.
            urllib3.exceptions.HTTPError: The server could not be reached.
        """
        from kubernetes.client.exceptions import ApiException

        body = self._operator.client.api_client.sanitize_for_serialization(pod)
        try:
            return self._call(
                lambda client: client.create_namespaced_pod(
                    self.namespace, body, _request_timeout=REQUEST_TIMEOUT_S
                ),
                START_PATIENCE_S,
            )
        except ApiException as error:
            if error.status != 409:
                raise
            found = self.read(pod.metadata.name)
            wanted = pod.metadata.annotations[TASK_INSTANCE_ANNOTATION]
            if found is None or (found.metadata.annotations or {}).get(TASK_INSTANCE_ANNOTATION) != wanted:
                raise
            return found

    def read(self, name: str) -> Any:
        """The pod with this name as it is now, or ``None``."""
        return self._or_none(
            lambda client: client.read_namespaced_pod(
                name, self.namespace, _request_timeout=REQUEST_TIMEOUT_S
            ),
            WATCH_PATIENCE_S,
        )

    def watch(self, pod: Any, idle_s: float) -> Generator[bytes, None, None]:
        """Pieces of what the API server says of a pod's changes since it was seen, as they come.

        Args:
            pod: The ``V1Pod`` as it was seen.
            idle_s: Seconds without a word after which reading raises.

        Raises:
            ApiException: It was refused.
            urllib3.exceptions.HTTPError: The server could not be reached, or was silent.
        """
        response = self._operator.client.list_namespaced_pod(
            self.namespace,
            field_selector=f"metadata.name={pod.metadata.name}",
            resource_version=pod.metadata.resource_version,
            watch=True,
            _preload_content=False,
            _request_timeout=(REQUEST_TIMEOUT_S, idle_s),
        )
        try:
            yield from response.stream(_WATCH_BYTES)
        finally:
            response.close()
            response.release_conn()

    def find(self, selector: str) -> list[Any]:
        """All pods with these labels."""
        found = self._call(
            lambda client: client.list_namespaced_pod(
                self.namespace, label_selector=selector, _request_timeout=REQUEST_TIMEOUT_S
            ),
            START_PATIENCE_S,
        )
        return list(found.items)

    def delete(self, name: str, uid: str) -> None:
        """Delete a pod, if it is there and still is the one with this ``uid``."""
        from kubernetes.client import V1DeleteOptions, V1Preconditions
        from kubernetes.client.exceptions import ApiException

        options = V1DeleteOptions(preconditions=V1Preconditions(uid=uid))
        try:
            self._or_none(
                lambda client: client.delete_namespaced_pod(
                    name, self.namespace, body=options, _request_timeout=REQUEST_TIMEOUT_S
                ),
                START_PATIENCE_S,
                even_if_stopped=True,
            )
        except ApiException as error:
            # Another pod has the name now: the one that was to be deleted is gone.
            if error.status != 409:
                raise

    def create_secret(self, name: str, values: dict[str, str]) -> None:
        """Create a secret that nobody can change; one of this name counts as it, so the name must be new."""
        from kubernetes.client.exceptions import ApiException

        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": PREFIX}},
            "type": "Opaque",
            "immutable": True,
            "stringData": values,
        }
        try:
            self._call(
                lambda client: client.create_namespaced_secret(
                    self.namespace, body, _request_timeout=REQUEST_TIMEOUT_S
                ),
                START_PATIENCE_S,
            )
        except ApiException as error:
            # The answer to the first request was lost.
            if error.status != 409:
                raise

    def give_secret_to(self, name: str, pod: Any) -> None:
        """Let Kubernetes delete a secret when its pod is gone, whatever becomes of the worker."""
        owner = {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid}
        self._call(
            lambda client: client.patch_namespaced_secret(
                name,
                self.namespace,
                {"metadata": {"ownerReferences": [owner]}},
                _request_timeout=REQUEST_TIMEOUT_S,
            ),
            START_PATIENCE_S,
        )

    def delete_secret(self, name: str) -> None:
        """Delete a secret, if it is there."""
        self._or_none(
            lambda client: client.delete_namespaced_secret(
                name, self.namespace, _request_timeout=REQUEST_TIMEOUT_S
            ),
            START_PATIENCE_S,
            even_if_stopped=True,
        )

    def interrupting(self) -> PodApi:
        """The same pods over connections of their own.

        For a signal handler: what it interrupts may hold the locks of the connections in use.
        """
        from kubernetes.client import ApiClient, CoreV1Api

        client = CoreV1Api(ApiClient(configuration=self._operator.client.api_client.configuration))
        return PodApi(_Holder(client), self.namespace, self._stopped)

    def execute(self, name: str, container: str, command: list[str]) -> Any:
        """Start a command in a container whose streams are binary; a client of ``kubernetes.stream``.

        Raises:
            ApiException: There is no such container, it does not run, or this is not allowed.
        """
        from kubernetes.client import ApiClient, CoreV1Api
        from kubernetes.stream import stream

        # The library bends the client that it is given for the time of the call.
        client = CoreV1Api(ApiClient(configuration=self._operator.client.api_client.configuration))
        return stream(
            client.connect_get_namespaced_pod_exec,
            name,
            self.namespace,
            container=container,
            command=command,
            stdin=True,
            stdout=True,
            stderr=True,
            tty=False,
            binary=True,
            _preload_content=False,
            _request_timeout=REQUEST_TIMEOUT_S,
        )

    def open_log(self, name: str, container: str, follow: bool, since_s: int | None, idle_s: float) -> Any:
        """Open the log of a container as a stream of bytes, each line with its time.

        Args:
            name: Name of the pod.
            container: Name of the container.
            follow: Whether the stream goes on until the container ends.
            since_s: Only lines of the last so many seconds.
            idle_s: Seconds without a line after which reading raises.

        Raises:
            ApiException: There is no log (yet), or it was refused.
            urllib3.exceptions.HTTPError: The server could not be reached.
        """
        return self._operator.client.read_namespaced_pod_log(
            name,
            self.namespace,
            container=container,
            follow=follow,
            timestamps=True,
            _preload_content=False,
            _request_timeout=(REQUEST_TIMEOUT_S, idle_s),
            **({"since_seconds": since_s} if since_s is not None else {}),
        )

    def warnings(self, name: str) -> Iterator[str]:
        """What Kubernetes' warning events say about a pod, oldest first."""
        events = self._call(
            lambda client: client.list_namespaced_event(
                self.namespace,
                field_selector=f"involvedObject.name={name}",
                _request_timeout=REQUEST_TIMEOUT_S,
            ),
            FIRST_PAUSE_S,
        )
        for event in events.items:
            if event.type == "Warning":
                yield f"{event.reason}: {event.message}"

    def _or_none(
        self, call: Callable[[Any], T], patience_s: float, even_if_stopped: bool = False
    ) -> T | None:
        from kubernetes.client.exceptions import ApiException

        try:
            return self._call(call, patience_s, even_if_stopped)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _call(self, call: Callable[[Any], T], patience_s: float, even_if_stopped: bool = False) -> T:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        give_up = time.monotonic() + patience_s
        pause = FIRST_PAUSE_S
        renewed = False
        while True:
            try:
                return call(self._operator.client)
            except ApiException as error:
                if error.status == 401 and not renewed:
                    renewed = True
                    self._renew_credentials()
                    continue
                if not _passes(error):
                    raise
                failure: Exception = error
                wait = _asked_pause(error) or pause
            except HTTPError as error:
                failure, wait = error, pause
            if time.monotonic() + wait > give_up or (self._stopped() and not even_if_stopped):
                raise failure
            _log.warning("The Kubernetes API failed (%s); asking again in %.1f s.", _brief(failure), wait)
            time.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _renew_credentials(self) -> None:
        """Forget the client and its token; the operator makes new ones when it is asked."""
        for name in ("hook", "client", "pod_manager"):
            vars(self._operator).pop(name, None)


def _passes(error: Any) -> bool:
    # A 409 that is not about the name is a quota or an object that changed in between.
    return error.status in TRANSIENT or (error.status == 409 and status_reason(error) == "Conflict")


def _asked_pause(error: Any) -> float | None:
    """The seconds that the server asks to wait, at most the longest pause."""
    text = (error.headers or {}).get("Retry-After")
    return min(float(text), LONGEST_PAUSE_S) if text and text.isdigit() else None


def _brief(error: Exception) -> str:
    status = getattr(error, "status", None)
    return f"{status} {status_reason(error)}" if status else f"{type(error).__name__}: {error}"
