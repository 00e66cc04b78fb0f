"""A whole flow as a task group between the tasks of a hand-written DAG.

The flow has a file of its own beside this one, so that its steps need not import Airflow.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from price_flow import PriceFlow

from airflow_mlflow_provider.dag import FlowTaskGroup
from airflow_mlflow_provider.operators.artifacts import FetchArtifactOperator


@dag(schedule=None, tags=["example"])
def example_flow_task_group() -> None:
    @task
    def list_price() -> float:
        return 2.5

    @task
    def approve(pathspec: str) -> str:
        return f"approved {pathspec}"

    search = FlowTaskGroup("search", PriceFlow, parameters={"price": list_price(), "discounts": 5})
    best = FetchArtifactOperator(
        task_id="best", artifact="{{ ti.xcom_pull('search.end', key='pathspec') }}/end/best"
    )
    search >> best >> approve(search.pathspec)


example_flow_task_group()
