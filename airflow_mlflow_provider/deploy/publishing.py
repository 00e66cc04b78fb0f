"""``FlowEvent``: publishing an event that deployed flows with ``@trigger`` wait for.

An event is an update of the Airflow asset with the event's name. It is published through Airflow's REST API, also from
within a step: a step's process, and all the more a pod, has no other channel to Airflow.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import AirflowApiError
from airflow_mlflow_provider.flow.current import current

if TYPE_CHECKING:
    from airflow_mlflow_provider.deploy.rest import AirflowRest
    from airflow_mlflow_provider.flow.decorators.events import NamespacedEventName

_log = logging.getLogger(__name__)


class FlowEvent:
    """An event for ``@trigger``.

    Args:
        name: Name of the event, or what ``namespaced_event_name`` gave.
        url: Address of Airflow's API server; ``api_url`` by default.
        payload: Values by field, as JSON can hold them.
        access_token: Bearer token for the API server; ``api_token`` by default.

    Raises:
        ValueError: A field of the payload holds what JSON cannot; names the field.
    """

    def __init__(
        self,
        name: str | NamespacedEventName,
        url: str | None = None,
        payload: Mapping[str, Any] | None = None,
        access_token: str | None = None,
    ) -> None:
        self._name = name
        self._url = url
        self._token = access_token
        self._payload = _checked(payload or {})

    @property
    def name(self) -> str:
        """The name of the event, and of its asset; that of a namespaced event depends on the project of the step."""
        if isinstance(self._name, str):
            return self._name
        from airflow_mlflow_provider.flow.decorators.projects import ProjectBranch

        if current.get("project_name") is None:
            return self._name.resolve(None)
        branch = ProjectBranch(
            name=current.project_name,
            branch=current.branch_name,
            is_user_branch=current.is_user_branch,
            is_production=current.is_production,
            flow_name=current.project_flow_name,
        )
        return self._name.resolve(branch)

    def add_to_payload(self, key: str, value: Any) -> FlowEvent:
        """Set a field of the payload.

        Args:
            key: Name of the field.
            value: A value that JSON can hold.

        Returns:
            The event itself.

        Raises:
            ValueError: JSON cannot hold the value.
        """
        self._payload |= _checked({key: value})
        return self

    def publish(
        self, payload: Mapping[str, Any] | None = None, force: bool = True, ignore_errors: bool = True
    ) -> str | None:
        """Publish the event.

        Args:
            payload: Further fields; they win over those given before.
            force: Whether to publish from local runs as well.
            ignore_errors: Whether a refusal of Airflow is logged instead of raised.

        Returns:
            Id of the event, also when nobody waits for it; ``None`` if it was not published.

        Raises:
            AirflowApiError: Airflow could not be reached or refused, and ``ignore_errors`` is false.
            ValueError: A field of the payload holds what JSON cannot.
        """
        fields = {**self._payload, **_checked(payload or {})}
        if not force and current.is_running_flow and not current.airflow:
            _log.info("The event %s is not published: the run is a local one.", self.name)
            return None
        try:
            return self._publish(fields)
        except AirflowApiError as error:
            if not ignore_errors:
                raise
            _log.warning("The event %s was not published: %s %s", self.name, error, error.fix)
            return None

    def safe_publish(
        self, payload: Mapping[str, Any] | None = None, ignore_errors: bool = True
    ) -> str | None:
        """Publish the event unless the run is a local one; otherwise as :meth:`publish`."""
        return self.publish(payload, force=False, ignore_errors=ignore_errors)

    def _publish(self, fields: dict[str, Any]) -> str:
        rest, identity, name = self._airflow(), uuid.uuid4().hex, self.name
        asset = rest.asset_id(name)
        if asset is None:
            _log.warning("No DAG of %s waits for the event %s.", rest.url, name)
        else:
            rest.update_asset(asset, {"id": identity, "payload": fields})
        return identity

    def _airflow(self) -> AirflowRest:
        from airflow_mlflow_provider.deploy.rest import AirflowRest

        if not self._url:
            return AirflowRest.configured(token=self._token)
        return AirflowRest(self._url, self._token or get("api_token"), get("api_user"), get("api_password"))


def _checked(payload: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in payload.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"The payload's field {key!r} holds what JSON cannot: {error}.") from error
    return dict(payload)
