"""A notifier that says how a run of a flow ended, with the errors of the tasks that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.bases.notifier import BaseNotifier

from airflow_mlflow_provider.exception import AirflowApiError, MetaflowNotFound
from airflow_mlflow_provider.hooks.artifact_lookup import run_facts
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.store.ledger import Ledger

if TYPE_CHECKING:
    from airflow.sdk import Context

_TIMEOUT_SECONDS = 10.0
_SHOWN_TASKS = 5


class FlowRunNotifier(BaseNotifier):
    """Posts a JSON object to a web hook: ``text`` for people, and ``pathspec``, ``status``, ``tags`` and ``failed``.

    Slack, Mattermost, Teams workflows and others show the ``text``. For ``on_success_callback`` and ``on_failure_callback``
    of a DAG.

    :param flow: Name of the flow's class; by default the DAG's id. (templated)
    :param webhook_conn_id: Connection with the web hook's address as host, or as password if it is secret. (templated)
    :param text: Text put before ours. (templated)
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    :param store: URL of the store, instead of a connection.
    """

    template_fields: Sequence[str] = ("flow", "webhook_conn_id", "text")

    def __init__(
        self,
        *,
        webhook_conn_id: str,
        flow: str | None = None,
        text: str = "",
        artifact_store_conn_id: str | None = None,
        store: str | None = None,
    ) -> None:
        super().__init__()
        self.flow = flow
        self.webhook_conn_id = webhook_conn_id
        self.text = text
        self.artifact_store_conn_id = artifact_store_conn_id
        self.store = store

    def notify(self, context: Context) -> None:
        """Post the message.

        :param context: The context of Airflow's callback.
        :raises AirflowApiError: The web hook refused or could not be reached; its address is not shown.
        """
        import httpx

        message = self.message(context)
        try:
            response = httpx.post(self._address(), json=message, timeout=_TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise self._failed(type(error).__name__) from None
        if not response.is_success:
            raise self._failed(f"status {response.status_code}")

    def message(self, context: Context) -> dict[str, Any]:
        """What is posted.

        :param context: The context of Airflow's callback.
        :return: ``text``, ``pathspec``, ``status``, and what the run's records tell.
        """
        dag_run = context["dag_run"]
        flow = self.flow or dag_run.dag_id.rpartition(".")[2]
        run = airflow_run_id(dag_run.dag_id, dag_run.run_id)
        ledger = self._ledger()
        end = ledger.run_end(flow, run)
        state = str(getattr(dag_run, "state", None) or "ended")
        status = end.status if end is not None else state.rpartition(".")[2].lower()
        failed = _errors(ledger, end.failed_tasks) if end is not None else {}
        try:
            facts = run_facts(ledger, flow, run, status)
        except MetaflowNotFound:
            # Airflow gave the run up before its first task could write anything.
            facts = {"pathspec": f"{flow}/{run}", "status": status}
        shown = [f"{task}: {error}" for task, error in list(failed.items())[:_SHOWN_TASKS]]
        reason = [] if failed or end is None or not end.reason else [end.reason]
        text = "\n".join(filter(None, [self.text, f"{flow}/{run} {status}", *shown, *reason]))
        return {**facts, "text": text, "failed": failed}

    def _ledger(self) -> Ledger:
        if self.store is None:
            return ArtifactStoreHook(self.artifact_store_conn_id).ledger
        from airflow_mlflow_provider.store.location import open_store

        return Ledger(open_store(self.store))

    def _address(self) -> str:
        connection = BaseHook.get_connection(self.webhook_conn_id)
        host = connection.host or ""
        if connection.password:
            return f"{host.rstrip('/')}/{connection.password.lstrip('/')}" if host else connection.password
        return host if "://" in host else f"{connection.schema or 'https'}://{host}"

    def _failed(self, reason: str) -> AirflowApiError:
        return AirflowApiError(
            f"The web hook of the connection {self.webhook_conn_id} did not take the message: {reason}.",
            fix="Check the connection's host and password.",
            where={"connection": self.webhook_conn_id},
        )


def _errors(ledger: Ledger, tasks: Sequence[str]) -> dict[str, str]:
    """The error of each task that failed, by pathspec."""
    found = {}
    for pathspec in tasks:
        record = ledger.newest_done(*pathspec.split("/"))
        error = record.exception if record is not None else None
        found[pathspec] = f"{error.type}: {error.message}" if error is not None else "no record"
    return found
