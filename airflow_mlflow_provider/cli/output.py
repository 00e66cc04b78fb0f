"""What a run prints: task output and progress on standard output, headers, warnings and errors on standard error."""

from __future__ import annotations

import datetime
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_mlflow_provider.cli.attribute_file import write_attributes
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.local import LocalRun
from airflow_mlflow_provider.runtime.logs import Stream
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.resume import ResumePlan, ResumeSummary
from airflow_mlflow_provider.store.records import RunRecord

if TYPE_CHECKING:
    from airflow_mlflow_provider.cli.progress import ProgressDisplay

_SHOWN_REASONS = 10
_COLORS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green", "bright_blue")


class RunPrinter:
    """Prints a run as it happens: one line after another, and on a terminal a display of progress below them.

    Args:
        session: The invocation.
        run_id_file: Where to write the run's id, or ``None``.
        attribute_file: Where to write what a program needs to find the run, or ``None``.
    """

    def __init__(
        self, session: Session, run_id_file: str | None = None, attribute_file: str | None = None
    ) -> None:
        self._session = session
        self._run_id_file = run_id_file
        self._attribute_file = attribute_file
        self._quiet = session.options.quiet
        self._pids: dict[str, int] = {}
        self._ended: Counter[str] = Counter()
        self._started_at = datetime.datetime.now(datetime.timezone.utc)
        self._colored = sys.stdout.isatty()
        self._steps = list(session.graph.steps)
        self._display: ProgressDisplay | None = None

    def run_started(self, run: RunRecord) -> None:
        """Tell the run's id, before any task starts."""
        if self._run_id_file:
            Path(self._run_id_file).write_text(run.run, encoding="utf-8")
        if self._attribute_file:
            write_attributes(
                self._attribute_file, flow_name=run.flow, run_id=run.run, metadata=self._session.store_url
            )
        self._session.note(f"Run {run.flow}/{run.run} by {run.user}, artifacts in {self._session.store_url}")
        in_pods = [node.name for node in self._session.graph if node.decorator("kubernetes")]
        if in_pods:
            self._session.note(
                f"On this machine, in no pod: {', '.join(in_pods)}. For pods: python {self._session.file.name} airflow create"
            )
        if self._colored and not self._quiet and os.environ.get("TERM") != "dumb":
            from airflow_mlflow_provider.cli.progress import ProgressDisplay

            self._display = ProgressDisplay(f"{run.flow}/{run.run}")

    def resumed(self, plan: ResumePlan) -> None:
        """Tell what the run takes over."""
        for line in resume_lines(plan.summary):
            self._note(line)

    def started(self, assignment: Assignment, pid: int) -> None:
        """Tell that a task has started."""
        key = assignment.key
        self._pids[key.prefix] = pid
        again = f" (attempt {key.attempt + 1})" if key.attempt else ""
        if not self._quiet:
            self._write(assignment, f"started{again}", dim=True)
        if self._display is not None:
            if assignment.retry_count:
                self._display.stopped(key.step)
            self._display.started(key.step)

    def line(self, assignment: Assignment, stream: Stream, text: bytes) -> None:
        """Print a line of a task."""
        self._write(assignment, text.decode("utf-8", "backslashreplace"))

    def ended(self, result: TaskResult) -> None:
        """Tell how a task ended."""
        key = result.key
        self._pids.pop(key.prefix, None)
        self._ended[result.outcome] += 1
        if self._display is not None:
            self._display.expect(result.targets, result.num_splits or 0)
            self._display.ended(key.step, failed=result.outcome == "failed")
        if not self._quiet and result.outcome != "succeeded":
            reason = result.exception.message if result.exception else ""
            self._warn(f"{key.run}/{key.step}/{key.task} {result.outcome}: {reason}")

    def tick(self) -> None:
        """Keep the display's clock running."""
        if self._display is not None:
            self._display.refresh()

    def close(self) -> None:
        """Remove the display."""
        if self._display is not None:
            self._display.close()
            self._display = None

    def finished(self, ended: LocalRun) -> None:
        """Summarise the run."""
        run = ended.run
        seconds = (datetime.datetime.now(datetime.timezone.utc) - self._started_at).total_seconds()
        if ended.status == "succeeded":
            self._session.note(
                f"Run {run.flow}/{run.run} succeeded: {self._ended.total()} tasks, {seconds:.1f} s"
            )
            return
        by = f" by {signal.Signals(ended.signal).name}" if ended.signal else ""
        self._warn(f"Run {run.flow}/{run.run} {ended.status}{by}.")
        for task in ended.failed:
            self._warn(f"  {task.key.pathspec}: {_exception_line(task)}")
        self._session.note(f"Go on with: python {self._session.file.name} resume --origin-run-id {run.run}")

    def _note(self, text: str) -> None:
        if self._display is None:
            self._session.note(text)
        else:
            self._display.print(text)

    def _warn(self, text: str) -> None:
        styled = click.style(text, fg="red")
        # Only what goes to the same terminal would tear the display.
        if self._display is not None and sys.stderr.isatty():
            self._display.print(styled)
        else:
            click.echo(styled, err=True)

    def _write(self, assignment: Assignment, text: str, *, dim: bool = False) -> None:
        key = assignment.key
        now = datetime.datetime.now(datetime.timezone.utc).astimezone()
        stamp = now.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        head = f"[{key.run}/{key.step}/{key.task} (pid {self._pids.get(key.prefix, '?')})]"
        if self._colored:
            head = click.style(head, fg=_COLORS[self._steps.index(key.step) % len(_COLORS)])
            text = click.style(text, dim=True) if dim else text
        if self._display is not None:
            self._display.print(f"{stamp} {head} {text}")
            return
        sys.stdout.write(f"{stamp} {head} {text}\n")
        sys.stdout.flush()


def _exception_line(task: TaskResult) -> str:
    if task.exception is None:
        return ""
    first, _, _ = task.exception.message.partition("\n")
    return f"{task.exception.type}: {first}"


def resume_lines(summary: ResumeSummary) -> list[str]:
    """What a resumed run takes over and what it runs, for people."""
    carried = ", ".join(f"{step} ({count})" for step, count in summary.taken_over.items())
    lines = [f"Taken over from {summary.origin}: {carried or 'nothing'}"]
    if summary.changed:
        lines.append(
            f"  taken over although their code has changed: {', '.join(summary.changed)} (--rerun-changed)"
        )
    shown = list(summary.runs.items())[:_SHOWN_REASONS]
    lines += [f"  runs: {task}, which {reason}" for task, reason in shown]
    if left := len(summary.runs) - len(shown) + summary.more:
        lines.append(f"  and {left} more, and all that follows them")
    return lines
