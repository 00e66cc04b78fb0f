"""Events, the newest last."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered, cell_of, rendered

Style = Literal[
    "default", "success", "warning", "error", "info", "primary", "secondary", "tool_call", "ai_response"
]


class EventsTimeline(MetaflowCardComponent):
    """A list of events with their times.

    Args:
        title: What stands above it.
        max_events: How many are shown at most; older ones leave, and still count in :meth:`get_stats`.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(self, title: str | None = None, max_events: int = 100) -> None:
        self._title = title
        self._events: deque[dict[str, Any]] = deque(maxlen=max_events)
        self._total = 0
        self._first: float | None = None
        self._last: float | None = None
        self._finished = False

    def update(
        self,
        event_data: Mapping[str, Any] | None,
        style_theme: Style | None = None,
        priority: str | None = None,
        payloads: Mapping[str, MetaflowCardComponent] | None = None,
        finished: bool | None = None,
    ) -> None:
        """Add an event.

        Args:
            event_data: What happened: names and values, which may be components.
            style_theme: Look of the event.
            priority: A word such as ``high``, shown as a badge.
            payloads: Components that readers can open, by name.
            finished: Whether this was the last event.
        """
        if finished is not None:
            self._finished = finished
        if event_data is None:
            return
        now = time.time()
        self._first = now if self._first is None else self._first
        self._last = now
        self._total += 1
        self._events.append(
            {
                "time": now,
                "theme": style_theme or "default",
                "priority": priority,
                "data": dict(event_data),
                "payloads": dict(payloads or {}),
            }
        )

    def get_stats(self) -> dict[str, Any]:
        """Numbers of the events: ``total_events``, ``displayed_events``, ``runtime_seconds``, ``events_per_minute``, ``finished``."""
        first, last = self._first or 0.0, self._last or 0.0
        # While events may still come, time goes on.
        seconds = 0.0 if self._first is None else (last if self._finished else time.time()) - first
        return {
            "total_events": self._total,
            "displayed_events": len(self._events),
            "runtime_seconds": round(seconds, 3),
            "events_per_minute": round(self._total * 60 / seconds, 2) if seconds > 0 else 0.0,
            "finished": self._finished,
        }

    def render(self) -> Rendered:
        """The component as data."""
        events = [
            {
                **event,
                "data": {str(name): cell_of(value) for name, value in event["data"].items()},
                "payloads": {str(name): rendered(value) for name, value in event["payloads"].items()},
            }
            for event in self._events.copy()
        ]
        return {"type": "timeline", "title": self._title, "events": events, "stats": self.get_stats()}
