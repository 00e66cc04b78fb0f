"""Findings of a search."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class FindingView(BaseModel):
    """Something that was found.

    Attributes:
        kind: ``flow``, ``run``, ``step``, ``task`` or ``artifact``.
        pathspec: Its pathspec.
        dag_id: The DAG that it belongs to.
        dag_run_id: Airflow's id of the DAG run; ``None`` for a flow.
        created_at: When its run was started, in Unix seconds; ``None`` for a flow.
        tags: The tags of its run that were searched for.
        type: Type of an artifact.
        preview: Preview of an artifact.
    """

    kind: str
    pathspec: str
    dag_id: str
    dag_run_id: str | None
    created_at: float | None
    tags: list[str]
    type: str
    preview: dict[str, Any] | None


class FindingPage(BaseModel):
    """A page of findings.

    Attributes:
        found: The findings, by flow, those of the newest run first.
        next: Cursor of the next page; empty when all there is has been looked at.
        is_full: Whether the page is full; if not, and there is a ``next``, the time was up.
    """

    found: list[FindingView]
    next: str
    is_full: bool
