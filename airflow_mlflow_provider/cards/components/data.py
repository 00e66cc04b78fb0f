"""JSON and YAML to read."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered, json_of

_HEIGHT = re.compile(r"\d+(\.\d+)?(px|r?em|vh|%)")


class JSONViewer(MetaflowCardComponent):
    """A value of dicts, lists and scalars, as a tree.

    Args:
        data: The value, or JSON.
        collapsible: Whether readers can open and close its parts.
        max_height: Height from which it scrolls, as in CSS: ``400px``.
        show_copy_button: Whether readers can copy it.
        title: What stands above it.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True
    FORMAT: ClassVar[str] = "json"

    def __init__(
        self,
        data: Any,
        collapsible: bool = True,
        max_height: str | None = None,
        show_copy_button: bool = True,
        title: str | None = None,
    ) -> None:
        self._data = data
        self._collapsible, self._copy, self._title = collapsible, show_copy_button, title
        self._height = max_height

    def update(self, data: Any) -> None:
        """Replace the value."""
        self._data = data

    def render(self) -> Rendered:
        """The component as data."""
        height = self._height if self._height and _HEIGHT.fullmatch(str(self._height)) else None
        return {
            "type": "data",
            "format": self.FORMAT,
            "data": _parsed(self._data),
            "collapsible": self._collapsible,
            "max_height": height,
            "copy": self._copy,
            "title": self._title,
        }


class YAMLViewer(JSONViewer):
    """The same as :class:`JSONViewer`, shown as YAML."""

    FORMAT: ClassVar[str] = "yaml"


def _parsed(data: Any) -> Any:
    if isinstance(data, str):
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError:
            return data
    return json_of(data)
