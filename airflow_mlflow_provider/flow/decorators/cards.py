"""``@card``: a report that is stored with each attempt of a step."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal, overload

from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, flag, mapping, number, text
from airflow_mlflow_provider.flow.decorators.base import Problem, StepDecorator, StepFunction, decorate_step
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode

_ID = re.compile(r"[a-zA-Z0-9_]+")
ENTRY_POINT_GROUP = "airflow_mlflow_provider.cards"
BUILT_IN_TYPES = ("default", "blank", "error", "taskspec_card")


class CardDecorator(StepDecorator):
    """Store a card with each attempt of a step; see :func:`card`. The card room renders it."""

    name = "card"
    allow_multiple = True
    fields: ClassVar[Fields] = {
        "type": text("default"),
        "options": mapping({}),
        "scope": text("task"),
        "rank": text(None, choices=("high", "medium", "low")),
        "timeout": number(45, minimum=0),
        "id": anything(None, "a string"),
        "save_errors": flag(True),
        "customize": flag(False),
        "refresh_interval": number(5, minimum=0),
    }

    def check(self) -> Iterator[Problem]:
        """Warn of ids that cannot be used, and of types that nothing here knows."""
        kind = self.attributes["type"]
        if kind not in BUILT_IN_TYPES and kind not in (others := (*declared_types(), *installed_types())):
            known = ", ".join((*BUILT_IN_TYPES, *others))
            yield Problem(
                "D008",
                f"@card: no card of the type {kind!r} is known here; known are {known}.",
                "Correct the type, or install the package that defines it.",
                "W",
            )
        written = self.attributes["id"]
        if written is not None and not (isinstance(written, str) and _ID.fullmatch(written)):
            yield Problem(
                "D008",
                f"@card: the id {written!r} has other characters than letters, digits and `_`; "
                f"current.card[{written!r}] will not find the card.",
                "Give it an id of letters, digits and `_`.",
                "W",
            )

    def check_step(self, node: StepNode, graph: FlowGraph) -> Iterator[Problem]:
        """Warn of an id that an earlier card of the step has."""
        own = self.attributes["id"]
        ids = [spec.attributes.get("id") for spec in node.decorators if spec.name == self.name]
        if own is not None and ids.count(own) > 1:
            yield Problem(
                "D008",
                f"The step '{node.name}' has {ids.count(own)} cards with the id {own!r}.",
                "Give each card of a step an id of its own.",
                "W",
            )


def declared_types() -> tuple[str, ...]:
    """The types of cards in the lists ``CARDS`` of the modules that are imported by now."""
    declared = (
        vars(module).get("CARDS") for module in list(sys.modules.values()) if hasattr(module, "__dict__")
    )
    found = (getattr(kind, "type", "") for kinds in declared if isinstance(kinds, list) for kind in kinds)
    return tuple(sorted({kind for kind in found if isinstance(kind, str) and kind}))


def installed_types() -> tuple[str, ...]:
    """The types of cards that installed packages define, by the entry points of :data:`ENTRY_POINT_GROUP`."""
    from importlib.metadata import entry_points

    return tuple(sorted(point.name for point in entry_points(group=ENTRY_POINT_GROUP)))


@overload
def card(function: StepFunction, /) -> StepFunction: ...
@overload
def card(
    *,
    type: str = "default",
    options: Mapping[str, Any] = ...,
    scope: str = "task",
    rank: Literal["high", "medium", "low"] | None = None,
    timeout: float | None = 45,
    id: str | None = None,
    save_errors: bool = True,
    customize: bool = False,
    refresh_interval: float = 5,
) -> Callable[[StepFunction], StepFunction]: ...
def card(function: Any = None, /, **attributes: Any) -> Any:
    """Step decorator: store a card, a report in HTML, with each attempt of the step. May stand several times.

    Args:
        function: The step, for ``@card`` without parentheses.
        type: Type of the card: ``default``, ``blank``, ``error``, or one of your own.
        options: Keywords of the card's class, JSON values.
        scope: ``task``; other scopes have no effect.
        rank: Orders lists of cards.
        timeout: Seconds that rendering may take; 0 or ``None`` for any.
        id: Its name in ``current.card["id"]``.
        save_errors: Whether an error card is stored when rendering fails.
        customize: Whether it is the card that ``current.card.append`` fills where there are several.
        refresh_interval: Least seconds between two updates while the step runs.

    Raises:
        BadStepDecoratorException: It does not stand above ``@step``.
    """
    return decorate_step(CardDecorator, function, attributes)
