"""One number: how far something is, or what came out."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered, cell_of

Theme = Literal["default", "success", "warning", "danger", "bg-gradient-indigo-purple"]


class ProgressBar(MetaflowCardComponent):
    """How far something is.

    Args:
        max: Value at which it is done.
        label: What it is about.
        value: Where it is now.
        unit: Unit of the numbers.
        metadata: A line below it.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(
        self,
        max: float = 100,
        label: str | None = None,
        value: float = 0,
        unit: str | None = None,
        metadata: str | None = None,
    ) -> None:
        self._max, self._label, self._value = max, label, value
        self._unit, self._metadata = unit, metadata

    def update(self, new_value: float, metadata: str | None = None) -> None:
        """Say where it is now, and replace the line below it if one is given."""
        self._value = new_value
        if metadata is not None:
            self._metadata = metadata

    def render(self) -> Rendered:
        """The component as data."""
        return {
            "type": "progress",
            "max": _number(self._max),
            "value": _number(self._value),
            "label": self._label,
            "unit": self._unit,
            "metadata": None if self._metadata is None else str(self._metadata),
        }


class ValueBox(MetaflowCardComponent):
    """One value, large.

    Args:
        title: What it is.
        value: The value.
        subtitle: A line below it.
        theme: ``default``, ``success``, ``warning``, ``danger`` or ``bg-gradient-indigo-purple``.
        change_indicator: How it has changed, such as ``↑ 3 %``.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(
        self,
        title: str | None = None,
        value: Any = "",
        subtitle: str | None = None,
        theme: Theme | None = None,
        change_indicator: str | None = None,
    ) -> None:
        self._shown = {
            "title": title,
            "value": value,
            "subtitle": subtitle,
            "theme": theme,
            "change": change_indicator,
        }

    def update(
        self,
        title: str | None = None,
        value: Any = None,
        subtitle: str | None = None,
        theme: Theme | None = None,
        change_indicator: str | None = None,
    ) -> None:
        """Replace what is given; the rest stays."""
        given = {
            "title": title,
            "value": value,
            "subtitle": subtitle,
            "theme": theme,
            "change": change_indicator,
        }
        self._shown = {**self._shown, **{name: one for name, one in given.items() if one is not None}}

    def render(self) -> Rendered:
        """The component as data."""
        return {"type": "value", **{name: cell_of(one) for name, one in self._shown.items()}}


def _number(value: Any) -> float:
    made = cell_of(value)
    return made if isinstance(made, (int, float)) else float(made)
