"""The cards of an attempt."""

from __future__ import annotations

from pydantic import BaseModel


class CardRow(BaseModel):
    """A card in a list.

    Attributes:
        index: Its position among the attempt's cards, which asks for it.
        type: Type of the card.
        id: Its name in ``current.card``.
        title: Heading.
        status: ``running``, ``succeeded`` or ``failed``.
        rank: ``high``, ``medium``, ``low`` or ``None``.
        created_at: When it was rendered, in Unix seconds.
    """

    index: int
    type: str
    id: str | None
    title: str
    status: str
    rank: str | None
    created_at: float


class CardList(BaseModel):
    """The cards of an attempt, the highest rank first."""

    cards: list[CardRow]
