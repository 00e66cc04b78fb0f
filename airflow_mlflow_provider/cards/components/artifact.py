"""Any Python value, as its preview."""

from __future__ import annotations

import reprlib
from typing import Any, ClassVar

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered
from airflow_mlflow_provider.store.codecs import type_name
from airflow_mlflow_provider.store.preview import preview_of

_LONGEST = 100_000
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 300
_BRIEF.maxlist = _BRIEF.maxdict = _BRIEF.maxtuple = _BRIEF.maxset = 30


class Artifact(MetaflowCardComponent):
    """A value: its type and a preview of it.

    Args:
        artifact: The value.
        name: What it is called.
        compressed: Whether a short text of the value is enough.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(self, artifact: Any, name: str | None = None, compressed: bool = True) -> None:
        self._name = name
        self._compressed = compressed
        self._data: Rendered = {}
        self.update(artifact)

    def update(self, artifact: Any) -> None:
        """Replace the value."""
        preview = preview_of(artifact) if self._compressed else None
        if preview is None:
            text = _BRIEF.repr(artifact) if self._compressed else repr(artifact)[:_LONGEST]
            preview = {"repr": text}
        self._data = {
            "type": "artifact",
            "name": str(self._name or ""),
            "kind": type_name(artifact),
            "preview": preview,
        }

    def render(self) -> Rendered:
        """The component as data."""
        return dict(self._data)
