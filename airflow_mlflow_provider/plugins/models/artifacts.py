"""Artifacts, as they were described when they were saved."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class ArtifactView(BaseModel):
    """An artifact.

    Attributes:
        name: Name.
        type: Qualified name of the value's type.
        size: Bytes of the serialised value.
        digest: Of those bytes.
        codec: What reads them.
        preview: Bounded description made when it was saved; ``None`` where there is none.
        is_new: Whether the task made or changed it, rather than inherited it.
    """

    name: str
    type: str
    size: int
    digest: str
    codec: str
    preview: dict[str, Any] | None
    is_new: bool


class ArtifactPage(BaseModel):
    """A page of the artifacts of a task, by name.

    Attributes:
        artifacts: The artifacts.
        total: How many there are on all pages.
        next: Cursor of the next page; empty on the last.
    """

    artifacts: list[ArtifactView]
    total: int
    next: str
