"""The components of one card while its step runs, and how mistakes in card code are told: as warnings."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered, rendered
from airflow_mlflow_provider.cards.components.artifact import Artifact
from airflow_mlflow_provider.cards.exception import ComponentOverwriteNotSupportedException
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.flow.current import current

_ROOM = str(Path(__file__).parent)


class CardWarning(UserWarning):
    """Something in card code has no effect."""


def warn(message: str) -> None:
    """Warn of a mistake in card code, unless ``card_warnings`` is off; the warning names the line outside of this room."""
    if get("card_warnings"):
        level, frame = 1, sys._getframe()
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_ROOM):
            level, frame = level + 1, frame.f_back
        warnings.warn(message, CardWarning, stacklevel=level)


class ComponentStore:
    """The components of one card: a list in which a component can be found by its id.

    Args:
        card: What messages call the card.
    """

    def __init__(self, card: str) -> None:
        self._card = card
        self._components: list[MetaflowCardComponent] = []
        self._missed: set[str] = set()

    def append(self, component: Any, id: str | None = None) -> None:
        """Add a component; with an id that another has, in its place."""
        if not isinstance(component, MetaflowCardComponent):
            warn(
                f"{type(component).__name__} is not a component of cards; {self._card} shows a preview of it. "
                "Wrap it, as in Markdown(…) or Artifact(…)."
            )
            component = Artifact(component)
        if id is None:
            self._components.append(component)
            return
        component.component_id = str(id)
        place = self._place(str(id))
        self._components[place : place + 1] = [component]

    def extend(self, components: Iterable[Any]) -> None:
        """Add components."""
        if isinstance(components, (str, bytes, MetaflowCardComponent)) or not isinstance(
            components, Iterable
        ):
            warn(
                f"{type(components).__name__} is not a list of components; {self._card} takes it as one. "
                "Write it in brackets."
            )
            components = [components]
        for component in components:
            self.append(component)

    def clear(self) -> None:
        """Remove all components."""
        self._components.clear()

    def rendered(self) -> list[Rendered]:
        """The components as data."""
        return [rendered(component) for component in list(self._components)]

    def __getitem__(self, key: int | str) -> Any:
        if not isinstance(key, str):
            return self._components[key]
        if key in self:
            return self._components[self._place(key)]
        if key not in self._missed:
            self._missed.add(key)
            warn(
                f"{self._card} has no component with the id {key!r}; it has {self._known}. Updates are dropped."
            )
        return _Absent()

    def __setitem__(self, key: str, component: Any) -> None:
        if key in self:
            raise ComponentOverwriteNotSupportedException(
                f"{self._card} has a component with the id {key!r} already; it has {self._known}.",
                fix="Call its update method, or give the new one another id.",
                where={"task": current.get("pathspec"), "card": self._card, "component": key},
            )
        self.append(component, id=key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(f"{self._card} has no component with the id {key!r}; it has {self._known}.")
        del self._components[self._place(key)]

    def __contains__(self, key: object) -> bool:
        return key in self._components or any(one.component_id == key for one in self._components if key)

    def __iter__(self) -> Iterator[MetaflowCardComponent]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)

    @property
    def _known(self) -> str:
        return ", ".join(one.component_id for one in self._components if one.component_id) or "none"

    def _place(self, key: str) -> int:
        """Where the component with an id is; at the end if there is none."""
        ids = [one.component_id for one in self._components]
        return ids.index(key) if key in ids else len(ids)


class _Absent(MetaflowCardComponent):
    """Stands for a component that the card does not have, so that an update of it does not cost the task."""

    def render(self) -> Rendered:
        return {"type": "text", "text": ""}

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Nothing."""
