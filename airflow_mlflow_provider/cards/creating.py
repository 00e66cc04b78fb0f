"""Making a card of a task that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.cards.card import ErrorCard
from airflow_mlflow_provider.cards.component import failure
from airflow_mlflow_provider.cards.document import card_index, card_key, encode_card
from airflow_mlflow_provider.cards.exception import CardException, UnrenderableCardException
from airflow_mlflow_provider.cards.facts import facts_of_stored
from airflow_mlflow_provider.cards.making import document_of, make_card, render_finished, within
from airflow_mlflow_provider.cards.reading import Card
from airflow_mlflow_provider.cards.types import card_class

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.task import Task


def create_card(
    task: Task,
    kind: str = "default",
    options: Mapping[str, Any] | None = None,
    *,
    id: str | None = None,
    timeout: float | None = None,
    save_error: bool = False,
    flow: Any = None,
) -> Card:
    """Make a card of a task and store it after those that its attempt has.

    Args:
        task: The task.
        kind: Type of the card.
        options: Options of its class.
        id: Its id.
        timeout: Seconds that rendering may take, ``None`` for any.
        save_error: Whether to store an error card if rendering fails.
        flow: The flow's class, for types that look at it.

    Raises:
        TypeRequiredException: The type is empty.
        CardClassFoundException: No class renders this type.
        UnrenderableCardException: The task has not ended, or rendering failed and no error card was asked for.
    """
    facts = facts_of_stored(task)
    if facts.record is None:
        raise UnrenderableCardException(
            f"{task.pathspec} has not ended, so no card of type '{kind}' can be made of it.",
            fix="Wait for its end; a running step makes its own cards.",
            where={"task": task.pathspec, "type": kind},
        )
    key, store = facts.key, facts.ledger.store
    index = 1 + max(
        (i for name in store.children(key.prefix) if (i := card_index(name)) is not None), default=-1
    )
    found = card_class(kind, task.pathspec)
    try:
        made = make_card(found, options or {}, [], facts, flow)
        content, html = within(
            timeout, lambda: render_finished(made, facts), f"the {kind} card of {task.pathspec}"
        )
        document = document_of(facts, kind, content, index=index, id=id, html=html)
    except CardException as error:
        if not save_error:
            raise
        content = [failure(error.__cause__ or error, "The card could not be rendered")]
        document = document_of(facts, ErrorCard.type, content, index=index, id=id)
    store.put(card_key(key, index), encode_card(document))
    return Card(document, card_key(key, index), task.pathspec, task.origin_pathspec)
