"""An auth manager that knows users who may not see every DAG, or not all of a DAG, as Airflow's simple one does not."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

STRANGER = "stranger"


class PerDagAuthManager(SimpleAuthManager):
    """The simple one, and users with less.

    `stranger` may do everything with DAGs of the prefix `stranger_` and nothing with others; `no-xcom` and the like may do
    everything but what needs this entity of a DAG.
    """

    def is_authorized_dag(
        self,
        *,
        user: SimpleAuthManagerUser,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
        **question: Any,
    ) -> bool:
        """Whether a user may do something with a DAG."""
        foreign = details is not None and details.id is not None and not details.id.startswith(f"{STRANGER}_")
        if user.get_name() == STRANGER and foreign:
            return False
        if access_entity is not None and user.get_name() == f"no-{access_entity.value.lower()}":
            return False
        return super().is_authorized_dag(user=user, access_entity=access_entity, details=details, **question)
