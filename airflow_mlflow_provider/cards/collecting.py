"""``current.card``: where a step puts components while it runs.

Mistakes are warnings, never errors: a card does not cost its task. Which card ``current.card.append`` fills is decided
once: the one editable card with ``customize=True``, else the only editable one, else the only editable one without an id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, is_json
from airflow_mlflow_provider.cards.component_store import ComponentStore, warn

Refresh = Callable[[Any, bool], None]


class CardEditor:
    """One card of the running step: ``current.card["id"]``.

    Args:
        name: What warnings call it.
        refresh: Stores its state; ``None`` for a card that does not exist, whose content is dropped.
    """

    def __init__(self, name: str, refresh: Refresh | None) -> None:
        self.name = name
        self._store = ComponentStore(name)
        self._refresh = refresh

    @property
    def components(self) -> ComponentStore:
        """What is in it; ``components["cid"]`` is the component with that id."""
        return self._store

    def append(self, component: Any, id: str | None = None) -> None:
        """Add a component.

        Args:
            component: The component.
            id: Name by which ``components["…"]`` finds it.
        """
        self._store.append(component, id)

    def extend(self, components: Iterable[Any]) -> None:
        """Add components."""
        self._store.extend(components)

    def clear(self) -> None:
        """Remove all components."""
        self._store.clear()

    def refresh(self, data: Any = None, force: bool = False) -> None:
        """Show the card's present state to those who look at it while the step runs.

        Returns at once; a state that comes too soon after another is stored a little later.

        Args:
            data: JSON values for the card's type.
            force: Whether to store it at once.
        """
        if self._refresh is None:
            return
        if data is not None and not is_json(data):
            warn(
                f"What refresh() of {self.name} was given is no JSON and is left out: {type(data).__name__}."
            )
            data = None
        self._refresh(data, force)

    def __iter__(self) -> Iterator[MetaflowCardComponent]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)

    def __getitem__(self, key: int | str) -> Any:
        return self._store[key]


class Place:
    """One ``@card`` of the step, as ``current.card`` needs to know it.

    Attributes:
        editor: Where its components go.
        type: Type of the card.
        id: Its id.
        customize: Whether it asked to be the default.
        editable: Whether its type takes components, or updates while the step runs.
    """

    def __init__(
        self, editor: CardEditor, type: str, id: str | None, customize: bool, editable: bool
    ) -> None:
        self.editor, self.type, self.id = editor, type, id
        self.customize, self.editable = customize, editable


class CardCollector:
    """``current.card``.

    Args:
        places: The cards of the step, in source order.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._default, self._why_none = _default_of([place for place in places if place.editable])
        self._inert: dict[str, CardEditor] = {}

    @property
    def components(self) -> ComponentStore:
        """The components of the default card."""
        return self._editor().components

    def append(self, component: Any, id: str | None = None) -> None:
        """Add a component to the default card."""
        self._editor().append(component, id)

    def extend(self, components: Iterable[Any]) -> None:
        """Add components to the default card."""
        self._editor().extend(components)

    def clear(self) -> None:
        """Remove all components of the default card."""
        self._editor().clear()

    def refresh(self, data: Any = None, force: bool = False) -> None:
        """Show the present state of the default card; see :meth:`CardEditor.refresh`."""
        self._editor().refresh(data, force)

    def get(self, type: str | None = None) -> list[list[MetaflowCardComponent]]:
        """The components of all editable cards, or of those of a type: one list for each card."""
        chosen = [place for place in self._places if place.editable and type in (None, place.type)]
        return [list(place.editor) for place in chosen]

    def __getitem__(self, key: str) -> CardEditor:
        return self._by_id(key)

    def __setitem__(self, key: str, components: Iterable[Any]) -> None:
        editor = self._by_id(key)
        editor.clear()
        editor.extend(components)

    def __contains__(self, key: object) -> bool:
        return any(place.id == key for place in self._places if place.editable)

    def __len__(self) -> int:
        return len(self._places)

    def _editor(self) -> CardEditor:
        if self._default is not None:
            return self._default
        return self._dropped(
            "", f"current.card has no default card: {self._why_none} What is put there is dropped."
        )

    def _by_id(self, key: str) -> CardEditor:
        found = [place for place in self._places if place.id == key]
        if len(found) == 1 and found[0].editable:
            return found[0].editor
        if len(found) > 1:
            why = f"{len(found)} cards of the step have it"
        elif found:
            why = f"cards of the type '{found[0].type}' take no components"
        else:
            known = ", ".join(repr(place.id) for place in self._places if place.id) or "none"
            why = f"the step has no such card; its ids are {known}"
        return self._dropped(key, f"current.card[{key!r}] is dropped: {why}.")

    def _dropped(self, key: str, message: str) -> CardEditor:
        if key not in self._inert:
            warn(message)
            self._inert[key] = CardEditor(f"the dropped card {key!r}", None)
        inert = self._inert[key]
        inert.clear()
        return inert


def _default_of(editable: Sequence[Place]) -> tuple[CardEditor | None, str]:
    customized = [place for place in editable if place.customize]
    without_id = [place for place in editable if place.id is None]
    if len(customized) > 1:
        names = ", ".join(place.editor.name for place in customized)
        warn(f"customize=True is ignored, as several cards of the step have it: {names}. Leave it on one.")
    for found in (customized, editable, without_id):
        if len(found) == 1:
            return found[0].editor, ""
    if not editable:
        return None, "no card of the step takes components."
    return None, "several cards could be meant. Give one customize=True, or write current.card['id']."
