"""The plugin that Airflow loads; light, as every Airflow process loads it."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_mlflow_provider.plugins import preloading
from airflow_mlflow_provider.plugins.links import LINKS

URL_PREFIX = "/flows"


class _LateApp:
    """The ASGI application, made on the first request: only the API server ever gets one."""

    def __init__(self) -> None:
        self._made: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self._made:
            from airflow_mlflow_provider.plugins.api import create_app

            self._made.append(create_app())
        await self._made[0](scope, receive, send)


class FlowPlugin(AirflowPlugin):
    """Adds tabs to DAGs, DAG runs and task instances, a page to the navigation, the routes behind them, links of task instances, and what long-lived processes import for those they fork."""

    name = "flows"
    operator_extra_links = list(LINKS)  # noqa: RUF012 - Airflow's form
    listeners = [preloading]  # noqa: RUF012 - Airflow's form
    fastapi_apps = [{"app": _LateApp(), "url_prefix": URL_PREFIX, "name": "Flows"}]  # noqa: RUF012 - Airflow's form
    external_views = [  # noqa: RUF012 - Airflow's form
        {
            "name": "Flow",
            "href": f"{URL_PREFIX}/view/run/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "flow",
        },
        {
            "name": "Step",
            "href": f"{URL_PREFIX}/view/task/{{DAG_ID}}/{{RUN_ID}}/{{TASK_ID}}/{{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": "step",
        },
        {
            "name": "Flow",
            "href": f"{URL_PREFIX}/view/flow/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "flow-overview",
        },
        {
            "name": "Flows",
            "href": f"{URL_PREFIX}/view/flows",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "flows",
        },
    ]
