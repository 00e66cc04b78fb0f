"""Reading cards back: of an attempt from the records alone, and of a task for notebooks and programs."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import msgspec

from airflow_mlflow_provider.cards.document import CardDocument, card_index, card_key, decode_card
from airflow_mlflow_provider.cards.exception import (
    CardNotPresentException,
    IncorrectArgumentException,
    IncorrectPathspecException,
    TaskNotFoundException,
    UnresolvableDatastoreException,
)
from airflow_mlflow_provider.cards.page import card_page
from airflow_mlflow_provider.exception import MetaflowNotFound, StoreException
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.task import Task

_PARTS = 4


def attempt_cards(ledger: Ledger, key: AttemptKey) -> list[tuple[int, CardDocument]]:
    """The cards of an attempt with their positions, in source order; from one listing and one read for each card.

    A card that was being updated when its process died says ``failed`` once the attempt has ended so.
    """
    indexes = sorted(
        index for name in ledger.store.children(key.prefix) if (index := card_index(name)) is not None
    )
    names = [card_key(key, index) for index in indexes]
    found = zip(indexes, names, ledger.store.get_many(names), strict=True)
    cards = [(index, decode_card(data, name)) for index, name, data in found if data is not None]
    if not any(card.status == "running" for _, card in cards):
        return cards
    return [(index, _settled(ledger, key, card)) for index, card in cards]


def attempt_card(ledger: Ledger, key: AttemptKey, index: int) -> CardDocument:
    """One card of an attempt, by its position.

    Raises:
        CardNotPresentException: There is none at this position.
    """
    name = card_key(key, index)
    data = ledger.store.get_many([name])[0]
    if data is None:
        exist = ", ".join(_told(one) for _, one in attempt_cards(ledger, key))
        raise CardNotPresentException(
            f"Attempt {key.attempt} of {key.pathspec} has no card {index}; it has {exist or 'none'}.",
            fix="List its cards with the command `card list`.",
            where={"task": key.pathspec, "attempt": key.attempt, "card": index},
        )
    return _settled(ledger, key, decode_card(data, name))


def _told(card: CardDocument) -> str:
    return f"the {card.type} card" + (f" {card.id!r}" if card.id else "") + f" (hash {card.hash})"


def _settled(ledger: Ledger, key: AttemptKey, card: CardDocument) -> CardDocument:
    if card.status != "running":
        return card
    record = ledger.done(key)
    # The final card may be on its way: the record is committed first.
    return card if record is None or record.finished else msgspec.structs.replace(card, status="failed")


def get_cards(
    task: Task | str, id: str | None = None, type: str | None = None, follow_resumed: bool = True
) -> CardContainer:
    """The cards of a task's newest attempt.

    The namespace is not looked at, and not switched.

    Args:
        task: A ``Task``, or its pathspec ``Flow/run/step/task``.
        id: Only cards with this id.
        type: Only cards of this type.
        follow_resumed: For a task that a resumed run took over: the cards of the task that really ran.

    Raises:
        IncorrectArgumentException: ``task`` is neither.
        IncorrectPathspecException: The pathspec has another form.
        TaskNotFoundException: There is no such task.
    """
    found = _task(task)
    origin = found.origin_pathspec
    if origin is not None and not follow_resumed:
        return CardContainer([], found.pathspec, origin)
    cards = [
        Card(document, card_key(found._key, index), found.pathspec, origin)
        for index, document in attempt_cards(found._ledger, found._key)
        if id in (None, document.id) and type in (None, document.type)
    ]
    return CardContainer(cards, found.pathspec, origin)


class Card:
    """A card of a task.

    Args:
        document: The card as data.
        path: Key of its object in the store.
        pathspec: The task that was asked for.
        origin: Pathspec of the task that really ran, if a resumed run took it over.
    """

    def __init__(self, document: CardDocument, path: str, pathspec: str, origin: str | None) -> None:
        self._document = document
        self._path, self._pathspec, self._origin = path, pathspec, origin

    @property
    def type(self) -> str:
        """Type of the card."""
        return self._document.type

    @property
    def id(self) -> str | None:
        """Its name in ``current.card["id"]``."""
        return self._document.id

    @property
    def hash(self) -> str:
        """Names the card among all cards, for ``--hash``."""
        return self._document.hash

    @property
    def path(self) -> str:
        """Key of its object in the store."""
        return self._path

    @property
    def from_resumed(self) -> bool:
        """Whether it belongs to a task that a resumed run took over."""
        return self._origin is not None

    @property
    def origin_pathspec(self) -> str | None:
        """Pathspec of the task that really ran, if a resumed run took it over."""
        return self._origin

    @property
    def document(self) -> CardDocument:
        """The card as data."""
        return self._document

    def get(self) -> str:
        """The card as one HTML page that loads nothing: as its type rendered it, or with the viewer inside it."""
        return self._document.html if self._document.html is not None else card_page(self._document)

    def get_data(self) -> Any:
        """What the last update of the running step held; ``None`` for a card that was not updated."""
        return self._document.data

    def view(self) -> Path:
        """Open the card in a browser.

        Returns:
            The file that it opens.
        """
        import tempfile
        import webbrowser

        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(self.get())
        written = Path(file.name)
        webbrowser.open(written.as_uri())
        return written

    def __repr__(self) -> str:
        named = f" id={self.id!r}" if self.id else ""
        return f"<Card {self.type}{named} of {self._pathspec} hash={self.hash}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the page in a sandbox of its own."""
        return (
            f'<iframe sandbox="allow-scripts" title="{html.escape(self._document.title, quote=True)}" '
            f'style="width:100%;height:600px;border:0" srcdoc="{html.escape(self.get(), quote=True)}"></iframe>'
        )


class CardContainer(Sequence[Card]):
    """The cards of a task, in source order; a notebook shows them all.

    Args:
        cards: The cards.
        pathspec: The task that was asked for.
        origin: Pathspec of the task that really ran, if a resumed run took it over.
    """

    def __init__(self, cards: Sequence[Card], pathspec: str, origin: str | None = None) -> None:
        self._cards, self._pathspec, self._origin = list(cards), pathspec, origin

    @property
    def from_resumed(self) -> bool:
        """Whether the task was taken over by a resumed run."""
        return self._origin is not None

    @property
    def origin_pathspec(self) -> str | None:
        """Pathspec of the task that really ran, if a resumed run took it over."""
        return self._origin

    @overload
    def __getitem__(self, index: int) -> Card: ...
    @overload
    def __getitem__(self, index: slice) -> list[Card]: ...
    def __getitem__(self, index: int | slice) -> Card | list[Card]:
        if isinstance(index, int) and not -len(self._cards) <= index < len(self._cards):
            raise IndexError(f"{self._pathspec} has {len(self._cards)} such cards; there is no card {index}.")
        return self._cards[index]

    def __len__(self) -> int:
        return len(self._cards)

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards)

    def __repr__(self) -> str:
        return f"CardContainer({self._cards!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        if not self._cards:
            return f"<p>No cards of <code>{html.escape(self._pathspec)}</code>.</p>"
        return "".join(
            f"<p><code>{html.escape(repr(card))}</code></p>{card._repr_html_()}" for card in self._cards
        )


def _task(task: Any) -> Task:
    from airflow_mlflow_provider.client.task import Task

    if isinstance(task, Task):
        return task
    if not isinstance(task, str):
        raise IncorrectArgumentException(
            f"get_cards() takes a Task or a pathspec, not {type(task).__name__}.",
            fix="Give Task('Flow/run/step/task') or its pathspec.",
            where={"type": type(task).__name__},
        )
    if len([part for part in task.split("/") if part]) != _PARTS:
        raise IncorrectPathspecException(
            f"'{task}' is not the pathspec of a task.",
            fix="Give Flow/run/step/task.",
            where={"pathspec": task},
        )
    try:
        return Task(task, _namespace_check=False)
    except MetaflowNotFound as error:
        raise TaskNotFoundException(
            f"There is no task {task}: {error}", fix=error.fix, where=error.where
        ) from None
    except StoreException as error:
        raise UnresolvableDatastoreException(
            f"The store of {task} cannot be read: {error}", fix=error.fix, where={"task": task}
        ) from error
