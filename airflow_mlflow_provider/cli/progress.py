"""The display below a run's output on a terminal: which steps run, how many of their tasks have ended."""

from __future__ import annotations

import sys
import time
from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_SECONDS_BETWEEN_REFRESHES = 0.1
_MOST_STEPS = 8
_BAR_WIDTH = 24


class ProgressDisplay:
    """Redraws itself below the lines that are printed through it, and leaves nothing behind.

    Args:
        title: What is running.
        console: Where to draw; standard output by default.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = title
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._running: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._expected: Counter[str] = Counter()
        self._failed = 0
        self._started_at = time.monotonic()
        self._drawn_at = 0.0
        self._spinner = Spinner("dots", Text(title, style="bold"))
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def started(self, step: str) -> None:
        """A task of a step has started."""
        self._running[step] += 1
        self.refresh()

    def stopped(self, step: str) -> None:
        """An attempt of a task has ended, and another one follows."""
        self._running[step] = max(0, self._running[step] - 1)

    def ended(self, step: str, *, failed: bool) -> None:
        """A task of a step has ended for good."""
        self.stopped(step)
        self._ended[step] += 1
        self._failed += failed
        self.refresh()

    def expect(self, steps: tuple[str, ...], tasks: int) -> None:
        """A split has opened: each of these steps gets so many more tasks."""
        for step in steps:
            self._expected[step] += tasks

    def print(self, line: str) -> None:
        """Print a line, which may hold escape sequences, above the display."""
        self._console.print(Text.from_ansi(line), soft_wrap=True)

    def refresh(self) -> None:
        """Draw what is known now, if the last drawing is a moment ago."""
        now = time.monotonic()
        if now - self._drawn_at >= _SECONDS_BETWEEN_REFRESHES:
            self._drawn_at = now
            self._live.update(self._drawing(now), refresh=True)

    def close(self) -> None:
        """Remove the display."""
        self._live.stop()

    def _drawing(self, now: float) -> Group:
        table = Table.grid(padding=(0, 2))
        active = [step for step, count in self._running.items() if count]
        for step in active[:_MOST_STEPS]:
            table.add_row("  " + step, self._bar(step), self._counts(step))
        if len(active) > _MOST_STEPS:
            table.add_row(f"  and {len(active) - _MOST_STEPS} more", "", "")
        return Group(self._headline(now), table)

    def _headline(self, now: float) -> Spinner:
        minutes, seconds = divmod(int(now - self._started_at), 60)
        parts = [f"{self._ended.total()} done", f"{self._running.total()} running"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        told = f"{self._title}  {', '.join(parts)}  {minutes}:{seconds:02d}"
        self._spinner.update(text=Text(told, style="bold red" if self._failed else "bold"))
        return self._spinner

    def _bar(self, step: str) -> Text:
        expected = self._expected[step]
        if not expected:
            return Text("")
        filled = min(_BAR_WIDTH, _BAR_WIDTH * self._ended[step] // expected)
        return Text("━" * filled, style="green").append("━" * (_BAR_WIDTH - filled), style="dim")

    def _counts(self, step: str) -> Text:
        done = (
            f"{self._ended[step]}/{self._expected[step]}" if self._expected[step] else str(self._ended[step])
        )
        return Text(f"{done} done, {self._running[step]} running", style="dim")
