"""What the demo shows: one line for each stage, with a spinner while it lasts if this is a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


class DemoFailed(Exception):
    """The demo cannot go on; the message says why, and may hold the end of a log."""


class Display:
    """Prints the stages of the demo."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, title: str) -> Iterator[Status]:
        """Show that something is going on, then that it is done and how long it took."""
        began = time.monotonic()
        if not self.console.is_terminal:
            self.console.print(f"  … {title}")
        with self.console.status(title) as status:
            yield status
        self.console.print(f"[green]  ✓[/] {title} [dim]({time.monotonic() - began:.1f} s)[/]")

    def failed(self, reason: str) -> None:
        """Say why the demo ends."""
        head, _, detail = reason.partition("\n")
        self.console.print(f"  ✗ {head}", style="bold red", markup=False)
        if detail:
            self.console.print(detail, markup=False)

    def say(self, text: str, *, markup: bool = True) -> None:
        """Print a line; with `markup`, what stands in square brackets is rich's."""
        self.console.print(text, markup=markup)
