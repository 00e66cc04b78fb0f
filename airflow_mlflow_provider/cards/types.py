"""Which class renders a type of card."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points

from airflow_mlflow_provider.cards.card import BUILT_IN, MetaflowCard
from airflow_mlflow_provider.cards.exception import CardClassFoundException, TypeRequiredException
from airflow_mlflow_provider.flow.decorators.cards import ENTRY_POINT_GROUP


def card_class(kind: str, task: str) -> type[MetaflowCard]:
    """The class of a type.

    Args:
        kind: The type.
        task: Pathspec of the task whose card is to be made, for messages.

    Raises:
        TypeRequiredException: The type is empty; the message names those that there are.
        CardClassFoundException: There is none; the message names those that there are.
    """
    if kind in BUILT_IN:
        return BUILT_IN[kind]
    for card in declared_classes():
        if card.type == kind:
            return card
    points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if kind in points:
        loaded = points[kind].load()
        if isinstance(loaded, type) and issubclass(loaded, MetaflowCard):
            return loaded
        raise CardClassFoundException(
            f"The entry point of the card type '{kind}' is {points[kind].value}, which is not a MetaflowCard.",
            fix="Let it name a class that extends airflow_mlflow_provider.cards.MetaflowCard.",
            where={"task": task, "type": kind},
        )
    known = sorted({*BUILT_IN, *points, *(card.type for card in declared_classes())})
    if not kind:
        raise TypeRequiredException(
            f"A card of {task} needs a type; known are {', '.join(known)}.",
            fix="Give one of them, or leave the type out for the default card.",
            where={"task": task},
        )
    raise CardClassFoundException(
        f"No card of the type '{kind}' is known here, to make one of {task}; known are {', '.join(known)}.",
        fix="Correct the type, install the package that defines it, or import the module with its CARDS list in the flow.",
        where={"task": task, "type": kind},
    )


def declared_classes() -> Iterator[type[MetaflowCard]]:
    """The classes in the lists ``CARDS`` of the modules that are imported."""
    for module in list(sys.modules.values()):
        declared = vars(module).get("CARDS") if hasattr(module, "__dict__") else None
        for card in declared if isinstance(declared, (list, tuple)) else ():
            if isinstance(card, type) and issubclass(card, MetaflowCard):
                yield card
