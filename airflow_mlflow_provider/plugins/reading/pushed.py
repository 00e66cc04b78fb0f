"""What tasks have left in XCom for this plugin."""

from __future__ import annotations

from typing import Any

from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select


def pushed(key: str, dag_id: str, run_id: str, *, most: int = 1, **instance: Any) -> list[dict[str, Any]]:
    """The objects that the task instances of a DAG run have pushed under a key, earliest first.

    Args:
        key: The key.
        dag_id: The DAG.
        run_id: The DAG run.
        most: How many are read.
        instance: ``task_id``, and ``map_index`` where one instance of the task is meant.
    """
    wanted = (
        select(XComModel.value)
        .filter_by(key=key, dag_id=dag_id, run_id=run_id, **instance)
        .order_by(XComModel.timestamp, XComModel.task_id)
        .limit(most)
    )
    with create_session(scoped=False) as session:
        return [value for value in session.scalars(wanted) if isinstance(value, dict)]
