"""Changing the tags of a run."""

from __future__ import annotations

from airflow.api_fastapi.logging.decorators import action_logging
from fastapi import APIRouter, Depends

from airflow_mlflow_provider.client.tagging import change_tags
from airflow_mlflow_provider.plugins.access import EDITS_RUN
from airflow_mlflow_provider.plugins.models.tags import TagChange, TagsView
from airflow_mlflow_provider.plugins.resuming.same_origin import changes_from_here
from airflow_mlflow_provider.plugins.routes.runs import RunDep

router = APIRouter(prefix="/api/dags/{dag_id}/runs/{run_id}/tags", tags=["Tags"])


@router.patch(
    "", dependencies=[Depends(changes_from_here), EDITS_RUN, Depends(action_logging("tag_flow_run"))]
)
def change(run: RunDep, wanted: TagChange) -> TagsView:
    """Remove and add tags, as one atomic change: what others change at the same time is kept."""
    return TagsView(tags=sorted(change_tags(run.ledger, run.record, wanted.remove, wanted.add)))
