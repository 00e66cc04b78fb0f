"""Links on the page of a task instance: where it really ran, and where to resume its run.

They are made in the API server when the page is looked at, so they cost a task nothing and are there while it runs.
"""

from __future__ import annotations

from typing import Any


class _StepLink:
    @property
    def operators(self) -> list[type]:
        """The operators that have it. Imported late: only the API server asks."""
        from airflow_mlflow_provider.operators.step import FlowStepOperator

        return [FlowStepOperator]


class OriginRunLink(_StepLink):
    """To the DAG run, or the task instance, that an instance was taken over from."""

    name = "Origin run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the origin; empty for a task that ran here itself, or whose origin never was in Airflow."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        from airflow_mlflow_provider.operators.origin import ORIGIN_KEY

        found = select(XComModel.value).where(
            XComModel.dag_id == ti_key.dag_id,
            XComModel.run_id == ti_key.run_id,
            XComModel.task_id == ti_key.task_id,
            XComModel.map_index == ti_key.map_index,
            XComModel.key == ORIGIN_KEY,
        )
        with create_session(scoped=False) as session:
            origin = session.scalar(found)
        return str(origin.get("path", "")) if isinstance(origin, dict) else ""


class ResumeLink(_StepLink):
    """To the tab of the run that resumes it, once it has ended."""

    name = "Resume"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the tab; empty while the run goes on."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.state import State
        from sqlalchemy import select

        from airflow_mlflow_provider.operators.origin import page_path

        state = select(DagRun.state).where(DagRun.dag_id == ti_key.dag_id, DagRun.run_id == ti_key.run_id)
        with create_session(scoped=False) as session:
            ended = session.scalar(state) in State.finished_dr_states
        return f"{page_path(ti_key.dag_id, ti_key.run_id)}/plugin/flow" if ended else ""
