"""Who may use a route: Airflow's own permissions on the DAG, asked of its auth manager on each request.

What a route shows decides which of Airflow's entities it needs: who may not see XComs in Airflow's own pages sees no
artifacts here, and so with code and logs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from fastapi import Depends, HTTPException, Request

LOGGED_IN = Depends(get_user)
READS_DAG = Depends(requires_access_dag("GET"))
READS_RUN = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
EDITS_RUN = Depends(requires_access_dag("PUT", DagAccessEntity.RUN))
STARTS_RUN = Depends(requires_access_dag("POST", DagAccessEntity.RUN))
READS_TASKS = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
READS_DATA = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))
READS_CODE = Depends(requires_access_dag("GET", DagAccessEntity.CODE))
READS_LOGS = Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS))


class Asker:
    """The user who asks, for what an answer says of their permissions and for records of other DAGs in it.

    Args:
        request: The request.
        user: Who is logged in.
    """

    def __init__(self, request: Request, user: GetUserDep) -> None:
        self._request, self._user = request, user

    def may(
        self,
        method: Literal["GET", "POST", "PUT"],
        dag_id: str,
        entity: DagAccessEntity | None = DagAccessEntity.RUN,
    ) -> bool:
        """Whether the user may do this to a DAG's runs, or to another of its parts."""
        try:
            requires_access_dag(method, entity, dag_id)(self._request, self._user)
        except HTTPException:
            return False
        return True

    def readable_dags(self) -> set[str]:
        """Ids of all DAGs that the user may read."""
        return get_auth_manager().get_authorized_dag_ids(user=self._user, method="GET")


def asker(request: Request, user: GetUserDep) -> Asker:
    """Who asks. A function, as the FastAPI of Airflow 3.1 does not find what a class's annotations name."""
    return Asker(request, user)


AskerDep = Annotated[Asker, Depends(asker)]
