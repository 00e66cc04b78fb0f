"""The tags of a run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TagChange(BaseModel):
    """Tags to remove, then tags to add, as one change that is made as a whole or not at all."""

    model_config = ConfigDict(extra="forbid")

    remove: list[str] = Field(default=[], max_length=100)
    add: list[str] = Field(default=[], max_length=100)


class TagsView(BaseModel):
    """The tags after a change.

    Attributes:
        tags: What users tagged the run with.
    """

    tags: list[str]
