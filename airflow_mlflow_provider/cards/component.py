"""What all components of cards have in common, and how one becomes data.

A component renders itself to a dict with a ``type`` that the viewer knows (``frontend/src/card/document.ts``), or to HTML,
which the viewer shows in a sandboxed frame.
"""

from __future__ import annotations

import math
import traceback
from typing import Any, ClassVar

import msgspec

_LONGEST_CELL = 2_000


class MetaflowCardComponent:
    """A part of a card. Subclasses implement :meth:`render`, and :meth:`update` if they can change in place.

    Attributes:
        component_id: Name by which ``current.card.components["id"]`` finds it.
        REALTIME_UPDATABLE: Whether :meth:`update` works.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = False

    component_id: str | None = None

    def render(self) -> str | dict[str, Any]:
        """The component as HTML, or as a dict of JSON values that the viewer knows."""
        raise NotImplementedError(f"{type(self).__name__}.render is not implemented.")

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Give the component new content.

        Raises:
            NotImplementedError: It cannot change in place.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be updated in place.")


Rendered = dict[str, Any]


def rendered(component: MetaflowCardComponent) -> Rendered:
    """A component as data; what it raises becomes the content, so that one bad component does not cost the card."""
    try:
        made = component.render()
        data: Rendered = {"type": "html", "html": made} if isinstance(made, str) else _checked(made)
    except Exception as error:  # noqa: BLE001 - a component's code is the user's
        data = failure(error, f"{type(component).__name__} could not be rendered")
    if component.component_id is not None:
        data["id"] = component.component_id
    return data


def failure(error: BaseException, title: str) -> Rendered:
    """An exception as data."""
    return {
        "type": "error",
        "title": title,
        "name": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }


def cell_of(value: Any) -> Any:
    """A value in a table or a fact: a JSON scalar or a component, anything else as bounded text."""
    if isinstance(value, MetaflowCardComponent):
        return rendered(value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def json_of(value: Any) -> Any:
    """A value as plain JSON values: keys and what JSON cannot hold as text."""
    return msgspec.to_builtins(value, enc_hook=str, str_keys=True)


def is_json(value: Any) -> bool:
    """Whether JSON can hold a value."""
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError):
        return False
    return True


def _checked(made: Any) -> Rendered:
    if not isinstance(made, dict) or not isinstance(made.get("type"), str):
        raise TypeError(f"render() gave {type(made).__name__}; it must give HTML or a dict with a 'type'.")
    return dict(json_of(made))
