"""Making the document of a card: calling the card's class, within its time."""

from __future__ import annotations

import inspect
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, TypeVar

from airflow_mlflow_provider.cards.card import DataCard, MetaflowCard
from airflow_mlflow_provider.cards.component import Rendered
from airflow_mlflow_provider.cards.document import CardDocument, Status, card_hash
from airflow_mlflow_provider.cards.exception import IncorrectCardArgsException, UnrenderableCardException
from airflow_mlflow_provider.cards.facts import TaskFacts
from airflow_mlflow_provider.plan.graph_info import graph_info

Result = TypeVar("Result")


def make_card(
    card: type[MetaflowCard],
    options: Mapping[str, Any],
    components: Sequence[Rendered],
    facts: TaskFacts,
    flow: Any = None,
) -> MetaflowCard:
    """An instance of a card's class.

    Raises:
        IncorrectCardArgsException: The options do not fit it.
    """
    graph = graph_info(facts.manifest)["steps"]
    try:
        return card(options=dict(options), components=list(components), graph=graph, flow=flow)
    except TypeError as error:
        raise IncorrectCardArgsException(
            f"The card of type '{card.type}' of {facts.key.pathspec} does not take the options {dict(options)}: {error}. "
            f"Its class {card.__qualname__} takes {inspect.signature(card)}.",
            fix="Let its __init__ take options, components, graph and flow, as MetaflowCard's does.",
            where={"task": facts.key.pathspec, "type": card.type, "options": sorted(options)},
        ) from error


def document_of(
    facts: TaskFacts,
    kind: str,
    content: list[Rendered],
    *,
    index: int = 0,
    id: str | None = None,
    rank: str | None = None,
    html: str | None = None,
    data: Any = None,
    reload_token: str | None = None,
) -> CardDocument:
    """The document of a card of a task."""
    key = facts.key
    return CardDocument(
        type=kind,
        hash=card_hash(key, index, kind, id),
        title=f"{key.flow} · {key.step}" + (f" · {id}" if id else ""),
        pathspec=key.pathspec,
        attempt=key.attempt,
        status=_status(facts),
        created_at=time.time(),
        components=content,
        id=id,
        rank=rank,
        html=html,
        data=data,
        reload_token=reload_token,
    )


def render_finished(card: MetaflowCard, facts: TaskFacts) -> tuple[list[Rendered], str | None]:
    """Content or HTML of the card of a task that has ended.

    Raises:
        UnrenderableCardException: The card's class raised.
    """
    try:
        if isinstance(card, DataCard) and type(card).render is DataCard.render:
            return card.content(facts), None
        return [], str(card.render(facts.task))
    except UnrenderableCardException:
        raise
    except Exception as error:
        raise UnrenderableCardException(
            f"The card of type '{card.type}' of {facts.key.pathspec} raised {type(error).__name__}: {error}",
            fix="Correct its render method; the card shows the traceback.",
            where={"task": facts.key.pathspec, "type": card.type},
        ) from error


def within(seconds: float | None, call: Callable[[], Result], card: str) -> Result:
    """Call a function, for a limited time where that can be enforced: in the main thread.

    Args:
        seconds: The limit; 0 and ``None`` are none.
        call: What to call.
        card: Which card of which task it is, for messages.

    Raises:
        UnrenderableCardException: It took longer.
    """
    if not seconds or threading.current_thread() is not threading.main_thread():
        return call()

    def stop(number: int, frame: FrameType | None) -> None:
        raise UnrenderableCardException(
            f"Rendering {card} took longer than {seconds:g} s.",
            fix="Give it a longer timeout.",
            where={"card": card},
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _status(facts: TaskFacts) -> Status:
    if facts.record is None:
        return "running"
    return "succeeded" if facts.record.finished else "failed"
