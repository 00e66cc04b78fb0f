"""Links on the page of a task instance: what it made, where it really ran, and where to resume its run.

They are made in the API server when the page is looked at, so they cost a task nothing and are there while it runs. Airflow
goes by the exact class of an operator, so each link lists all that have it.
"""

from __future__ import annotations

from typing import Any


class _StepLink:
    @property
    def operators(self) -> list[type]:
        """The operators that run steps. Imported late: only the API server asks."""
        from airflow_mlflow_provider.operators.run_step import RunStepOperator
        from airflow_mlflow_provider.operators.step import FlowStepOperator

        return [FlowStepOperator, RunStepOperator]


class FlowRunLink(_StepLink):
    """To the tab of the run that a step is of."""

    name = "Flow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the tab."""
        return _run_tab(ti_key)


class ArtifactsLink(_StepLink):
    """To the tab of the task instance, which has the artifacts, inputs and cards of its tasks."""

    name = "Artifacts"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the tab."""
        return _step_tab(ti_key)


class CardLink(_StepLink):
    """To the cards in the tab of the task instance, which move while the step runs."""

    name = "Card"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the tab, opened at the cards; it says so where the step has none."""
        return f"{_step_tab(ti_key)}#show=cards"


class OtherFlowRunLink:
    """To the tab of a run of a flow that a task has started, resumed or tagged."""

    name = "Flow run"

    @property
    def operators(self) -> list[type]:
        """The operators that deal with runs of other DAGs."""
        from airflow_mlflow_provider.operators.artifacts import TagRunOperator
        from airflow_mlflow_provider.operators.resume_flow import ResumeFlowOperator
        from airflow_mlflow_provider.operators.trigger_flow import TriggerFlowOperator

        return [TriggerFlowOperator, ResumeFlowOperator, TagRunOperator]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the tab; empty before the run is known, or where it never was in Airflow."""
        from airflow_mlflow_provider.operators.origin import FLOW_RUN_KEY

        path = _pushed(ti_key, FLOW_RUN_KEY).get("path")
        return f"{path}/plugin/flow" if path else ""


class OriginRunLink(_StepLink):
    """To the DAG run, or the task instance, that an instance was taken over from, or that a value is of."""

    name = "Origin run"

    @property
    def operators(self) -> list[type]:
        """Those that run steps, and those that name a run to take something from."""
        from airflow_mlflow_provider.operators.artifacts import FetchArtifactOperator
        from airflow_mlflow_provider.operators.resume_flow import ResumeFlowOperator

        return [*super().operators, ResumeFlowOperator, FetchArtifactOperator]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the origin; empty for a task that ran here itself, or whose origin never was in Airflow."""
        from airflow_mlflow_provider.operators.origin import ORIGIN_KEY

        return str(_pushed(ti_key, ORIGIN_KEY).get("path", ""))


class ResumeLink(_StepLink):
    """To the tab of the run that resumes it, once it has ended."""

    name = "Resume"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the tab; empty while the run goes on."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.state import State
        from sqlalchemy import select

        state = select(DagRun.state).where(DagRun.dag_id == ti_key.dag_id, DagRun.run_id == ti_key.run_id)
        with create_session(scoped=False) as session:
            ended = session.scalar(state) in State.finished_dr_states
        return _run_tab(ti_key) if ended else ""


class NamedArtifactLink:
    """To the page of the asset of a named artifact, with the events of its versions."""

    name = "Artifact"

    @property
    def operators(self) -> list[type]:
        """The operators that publish and fetch named artifacts."""
        from airflow_mlflow_provider.operators.artifact_decorator import ArtifactDecoratedOperator
        from airflow_mlflow_provider.operators.artifacts import FetchArtifactOperator, PublishArtifactOperator

        return [PublishArtifactOperator, ArtifactDecoratedOperator, FetchArtifactOperator]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Path of the asset's page; empty before the task has ended, or where Airflow knows no such asset."""
        from airflow.models.asset import AssetModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        from airflow_mlflow_provider.operators.artifacts import ARTIFACT_KEY
        from airflow_mlflow_provider.operators.origin import base_path

        asset = _pushed(ti_key, ARTIFACT_KEY).get("asset", "")
        with create_session(scoped=False) as session:
            found = session.scalar(select(AssetModel.id).where(AssetModel.name == asset)) if asset else None
        return "" if found is None else f"{base_path()}/assets/{found}"


LINKS = (
    FlowRunLink(),
    ArtifactsLink(),
    CardLink(),
    OtherFlowRunLink(),
    OriginRunLink(),
    ResumeLink(),
    NamedArtifactLink(),
)


def _run_tab(ti_key: Any) -> str:
    from airflow_mlflow_provider.operators.origin import page_path

    return f"{page_path(ti_key.dag_id, ti_key.run_id)}/plugin/flow"


def _step_tab(ti_key: Any) -> str:
    from airflow_mlflow_provider.operators.origin import page_path

    return f"{page_path(ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index)}/plugin/step"


def _pushed(ti_key: Any, key: str) -> dict[str, Any]:
    """What the task instance has pushed under a key for its links; empty if it has not."""
    from airflow_mlflow_provider.plugins.reading.pushed import pushed

    found = pushed(key, ti_key.dag_id, ti_key.run_id, task_id=ti_key.task_id, map_index=ti_key.map_index)
    return found[0] if found else {}
