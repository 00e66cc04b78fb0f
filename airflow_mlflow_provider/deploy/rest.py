"""Airflow's REST API, version 2, as far as deployments need it."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import AirflowApiError

if TYPE_CHECKING:
    import httpx

_TIMEOUT_SECONDS = 30.0
# It lists the origin's records and writes the task instances of all splits before it answers.
_RESUME_TIMEOUT_SECONDS = 300.0
_PAUSES_SECONDS = (1.0, 4.0)
_PAGE = 100
# Without the plugin Airflow's own pages answer; with it, 404 is a store that it does not know, 424 one that it cannot read.
_NO_ROUTE = frozenset({404, 405, 424})
_OPTIONS = "api_url with api_token, or with api_user and api_password"


class AirflowRest:
    """A client of one Airflow.

    Args:
        url: Address of the API server.
        token: Bearer token; otherwise one is asked for with user and password.
        user: User name.
        password: Password.
    """

    def __init__(
        self, url: str, token: str | None = None, user: str | None = None, password: str | None = None
    ) -> None:
        import httpx

        self.url = url.rstrip("/")
        self._user, self._password = user, password
        self._client = httpx.Client(base_url=self.url, timeout=_TIMEOUT_SECONDS, follow_redirects=True)
        # Programs hold on to deployments, and close nothing.
        weakref.finalize(self, self._client.close)
        if token:
            self._client.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def configured(cls, token: str | None = None) -> AirflowRest:
        """The Airflow that the configuration names.

        Args:
            token: Bearer token instead of the configured credentials.

        Raises:
            AirflowApiError: It names none.
        """
        url = get("api_url")
        if not url:
            raise AirflowApiError(
                "The address of Airflow's API server is not known.",
                fix=f"Set {_OPTIONS} in [mlflow_provider] (AIRFLOW__MLFLOW_PROVIDER__API_URL …).",
            )
        return cls(url, token or get("api_token"), get("api_user"), get("api_password"))

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """A DAG, ``None`` if Airflow does not know it."""
        return self._optional("GET", f"/dags/{_quote(dag_id)}")

    def import_error(self, file_name: str) -> str | None:
        """The stack trace of the import error of a DAG file, ``None`` if it has none."""
        for error in self._pages("/importErrors", "import_errors"):
            if str(error.get("filename", "")).rsplit("/", 1)[-1] == file_name:
                return str(error["stack_trace"])
        return None

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self._call("PATCH", f"/dags/{_quote(dag_id)}", json={"is_paused": paused})

    def delete_dag(self, dag_id: str) -> bool:
        """Delete a DAG and its history; whether it was there."""
        return self._optional("DELETE", f"/dags/{_quote(dag_id)}") is not None

    def trigger(
        self, dag_id: str, dag_run_id: str, conf: Mapping[str, Any], note: str | None = None
    ) -> dict[str, Any]:
        """Start a DAG run."""
        body = {"dag_run_id": dag_run_id, "logical_date": None, "conf": dict(conf), "note": note}
        return self._call("POST", f"/dags/{_quote(dag_id)}/dagRuns", json=body)

    def resume(self, dag_id: str, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """Start a DAG run that takes over what another run has finished, by the route of this package's plugin.

        Args:
            dag_id: The DAG.
            question: The body: ``origin``, ``step``, ``parameters``, ``rerun_changed``, ``code``, ``dag_run_id``.

        Returns:
            The route's answer; ``None`` if this Airflow has no such route, or one that cannot read the artifact store.
        """
        response = self._send(
            "POST",
            f"/resume/{_quote(dag_id)}",
            root="/flows",
            json=dict(question),
            timeout=_RESUME_TIMEOUT_SECONDS,
        )
        return None if response.status_code in _NO_ROUTE else self._body(response)

    def dag_run(self, dag_id: str, dag_run_id: str) -> dict[str, Any] | None:
        """A DAG run, ``None`` if there is none."""
        return self._optional("GET", f"/dags/{_quote(dag_id)}/dagRuns/{_quote(dag_run_id)}")

    def dag_runs(self, dag_id: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The runs of a DAG, newest first."""
        yield from self._pages(f"/dags/{_quote(dag_id)}/dagRuns", "dag_runs", order_by="-run_after", **query)

    def task_instances(self, dag_id: str, dag_run_id: str) -> Iterator[dict[str, Any]]:
        """The task instances of a DAG run."""
        yield from self._pages(
            f"/dags/{_quote(dag_id)}/dagRuns/{_quote(dag_run_id)}/taskInstances", "task_instances"
        )

    def set_run_state(self, dag_id: str, dag_run_id: str, state: str) -> None:
        """Mark a DAG run ``success`` or ``failed``; its running tasks are stopped."""
        self._call("PATCH", f"/dags/{_quote(dag_id)}/dagRuns/{_quote(dag_run_id)}", json={"state": state})

    def asset_id(self, name: str) -> int | None:
        """The id of an asset, ``None`` if no DAG has one of this name."""
        for asset in self._pages("/assets", "assets", name_pattern=name):
            if asset["name"] == name:
                return int(asset["id"])
        return None

    def update_asset(self, asset_id: int, extra: Mapping[str, Any]) -> None:
        """Tell that an asset has been updated, which starts the DAGs that wait for it."""
        self._call("POST", "/assets/events", json={"asset_id": asset_id, "extra": dict(extra)})

    def run_page(self, dag_id: str, dag_run_id: str) -> str:
        """Address of a DAG run in the Airflow UI."""
        return f"{self.url}/dags/{_quote(dag_id)}/runs/{_quote(dag_run_id)}"

    def _pages(self, path: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._call("GET", path, params={"limit": _PAGE, "offset": offset, **query})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= int(page.get("total_entries", 0)):
                return

    def _optional(self, method: str, path: str) -> dict[str, Any] | None:
        response = self._send(method, path)
        return None if response.status_code == 404 else self._body(response)

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        return self._body(self._send(method, path, **arguments))

    def _send(self, method: str, path: str, root: str = "/api/v2", **arguments: Any) -> httpx.Response:
        if "Authorization" not in self._client.headers:
            self._log_in()
        return self._request(method, f"{root}{path}", **arguments)

    def _log_in(self) -> None:
        if not (self._user and self._password):
            raise AirflowApiError(
                f"{self.url} needs credentials, and none are configured.", fix=f"Set {_OPTIONS}."
            )
        credentials = {"username": self._user, "password": self._password}
        body = self._body(self._request("POST", "/auth/token", json=credentials))
        self._client.headers["Authorization"] = f"Bearer {body['access_token']}"

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        import httpx

        try:
            return self._patiently(method, path, **arguments)
        except httpx.HTTPError as error:
            raise AirflowApiError(
                f"{method} {self.url}{path} failed: {str(error) or type(error).__name__}.",
                fix="See that Airflow's API server runs, and that api_url is its address.",
                where={"url": f"{self.url}{path}", "options": _OPTIONS},
            ) from error

    def _patiently(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request; a reading one is asked again when its answer was lost, so that a busy server ends no long wait."""
        import httpx

        for pause in _PAUSES_SECONDS if method == "GET" else ():
            try:
                return self._client.request(method, path, **arguments)
            except (httpx.TimeoutException, httpx.ReadError, httpx.RemoteProtocolError):
                time.sleep(pause)
        return self._client.request(method, path, **arguments)

    def _body(self, response: httpx.Response) -> dict[str, Any]:
        if response.is_success:
            body: dict[str, Any] = response.json() if response.content else {}
            return body
        request = response.request
        raise AirflowApiError(
            f"{request.method} {request.url} answered {response.status_code}: {_message(response)}",
            fix=_remedy(response.status_code),
            where={"url": str(request.url), "status": response.status_code, "options": _OPTIONS},
        )


def _message(response: httpx.Response) -> str:
    try:
        detail = response.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    return str(detail or response.text[:500] or response.reason_phrase)


def _remedy(status: int) -> str:
    if status in (401, 403):
        return f"Give credentials of a user who may do this: {_OPTIONS}."
    if status == 404:
        return "Deploy the flow with `airflow create`, and wait until Airflow has parsed it."
    return "Correct what the message says."


def _quote(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
