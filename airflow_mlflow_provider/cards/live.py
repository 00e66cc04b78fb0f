"""Storing cards while their step runs, off the step's thread and not too often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_CLOSE_SECONDS = 30.0


@dataclass
class _Due:
    """A card that has a state to store.

    Attributes:
        at: When, on the monotonic clock.
        write: Makes and stores it.
    """

    at: float
    write: Callable[[], None]


class LiveWriter:
    """Writes cards in a thread that starts with the first one.

    A card asked for too soon after its last write is written when its interval is over, in the state it then has. What goes
    wrong is kept for :attr:`errors` and never reaches the step.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[int, _Due] = {}
        self._last: dict[int, float] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self.errors: list[Exception] = []

    def ask(self, card: int, interval: float, force: bool, write: Callable[[], None]) -> None:
        """Have a card written; returns at once.

        Args:
            card: Its position among the step's cards.
            interval: Least number of seconds between two writes.
            force: Whether to write without waiting for the interval to be over.
            write: Makes and stores the card; called in the writer's thread.
        """
        now = time.monotonic()
        with self._changed:
            if self._closed:
                return
            due = now if force else max(now, self._last.get(card, -interval) + interval)
            self._due[card] = _Due(due, write)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live-cards", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Drop what is due and wait for the write that is under way, so that nothing is written after this."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            write = self._next()
            if write is None:
                return
            try:
                write()
            except Exception as error:  # noqa: BLE001 - a card never costs its task
                self.errors.append(error)

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next write; ``None`` when closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                card, due = min(self._due.items(), key=lambda item: item[1].at, default=(None, None))
                if card is not None and due is not None and due.at <= now:
                    del self._due[card]
                    self._last[card] = now
                    return due.write
                self._changed.wait(None if due is None else due.at - now)
            return None
