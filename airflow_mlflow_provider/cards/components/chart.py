"""Charts by Vega and Vega-Lite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered


class VegaChart(MetaflowCardComponent):
    """A chart.

    Args:
        spec: A specification of Vega-Lite, or of Vega if its ``$schema`` says so; a dict or JSON. Its data must be in it: a
            card loads nothing from the net.
        show_controls: Whether readers can save it as a picture.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(self, spec: Mapping[str, Any] | str, show_controls: bool = False) -> None:
        self._controls = show_controls
        self._spec = _as_dict(spec)

    @classmethod
    def from_altair_chart(cls, altair_chart: Any) -> VegaChart:
        """The chart of an Altair chart."""
        return cls(altair_chart.to_dict())

    def update(self, spec: Any) -> None:
        """Replace the specification, or draw another Altair chart."""
        self._spec = _as_dict(spec.to_dict() if hasattr(spec, "to_dict") else spec)

    def render(self) -> Rendered:
        """The component as data."""
        return {"type": "chart", "spec": self._spec, "controls": self._controls}


def _as_dict(spec: Mapping[str, Any] | str) -> dict[str, Any]:
    loaded = msgspec.json.decode(spec) if isinstance(spec, str) else spec
    return dict(loaded)
