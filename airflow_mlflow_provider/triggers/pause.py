"""A pause between two looks of a task, spent in the triggerer and not in a worker's slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class PauseTrigger(BaseTrigger):
    """Sends one event after some seconds. It looks at nothing, so it needs neither a connection nor credentials.

    :param seconds: How many.
    """

    def __init__(self, *, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and the arguments, for the triggerer that takes over."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then send the event."""
        await asyncio.sleep(self.seconds)
        yield TriggerEvent(self.seconds)  # type: ignore[no-untyped-call]
