"""What a run prints: task output and progress on standard output, headers, warnings and errors on standard error."""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from pathlib import Path

import click

from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.local import LocalRun
from airflow_mlflow_provider.runtime.logs import Stream
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.resume import ResumePlan
from airflow_mlflow_provider.store.records import RunRecord

_SHOWN_REASONS = 10
_COLORS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green", "bright_blue")


class RunPrinter:
    """Prints a run as it happens, one line after another.

    Args:
        session: The invocation.
        run_id_file: Where to write the run's id, or ``None``.
    """

    def __init__(self, session: Session, run_id_file: str | None = None) -> None:
        self._session = session
        self._run_id_file = run_id_file
        self._quiet = session.options.quiet
        self._pids: dict[str, int] = {}
        self._ended: Counter[str] = Counter()
        self._started_at = datetime.datetime.now(datetime.timezone.utc)
        self._colored = sys.stdout.isatty()
        self._steps = list(session.graph.steps)

    def run_started(self, run: RunRecord) -> None:
        """Tell the run's id, before any task starts."""
        if self._run_id_file:
            Path(self._run_id_file).write_text(run.run, encoding="utf-8")
        self._session.note(f"Run {run.flow}/{run.run} by {run.user}, artifacts in {self._session.store_url}")

    def resumed(self, plan: ResumePlan) -> None:
        """Tell what the run takes over."""
        for line in plan_lines(plan):
            self._session.note(line)

    def started(self, assignment: Assignment, pid: int) -> None:
        """Tell that a task has started."""
        key = assignment.key
        self._pids[key.prefix] = pid
        again = f" (attempt {key.attempt + 1})" if key.attempt else ""
        self._progress(assignment, f"started{again}")

    def line(self, assignment: Assignment, stream: Stream, text: bytes) -> None:
        """Print a line of a task."""
        self._write(assignment, text.decode("utf-8", "backslashreplace"))

    def ended(self, result: TaskResult) -> None:
        """Tell how a task ended."""
        key = result.key
        self._pids.pop(key.prefix, None)
        self._ended[result.outcome] += 1
        if not self._quiet and result.outcome != "succeeded":
            reason = result.exception.message if result.exception else ""
            click.echo(
                click.style(f"{key.run}/{key.step}/{key.task} {result.outcome}: {reason}", fg="red"), err=True
            )

    def finished(self, ended: LocalRun) -> None:
        """Summarise the run."""
        seconds = (datetime.datetime.now(datetime.timezone.utc) - self._started_at).total_seconds()
        total = sum(self._ended.values())
        if ended.status == "succeeded":
            self._session.note(
                f"Run {ended.run.flow}/{ended.run.run} succeeded: {total} tasks, {seconds:.1f} s"
            )
            return
        click.echo(
            click.style(f"Run {ended.run.flow}/{ended.run.run} {ended.status}.", fg="red", bold=True),
            err=True,
        )
        for task in ended.failed:
            message = task.exception.message.splitlines()[:1] if task.exception else []
            kind = task.exception.type if task.exception else ""
            click.echo(f"  {task.key.pathspec}: {kind}: {''.join(message)}", err=True)

    def _progress(self, assignment: Assignment, text: str) -> None:
        if not self._quiet:
            self._write(assignment, text, dim=True)

    def _write(self, assignment: Assignment, text: str, *, dim: bool = False) -> None:
        key = assignment.key
        now = datetime.datetime.now(datetime.timezone.utc).astimezone()
        stamp = now.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        head = f"[{key.run}/{key.step}/{key.task} (pid {self._pids.get(key.prefix, '?')})]"
        if self._colored:
            head = click.style(head, fg=_COLORS[self._steps.index(key.step) % len(_COLORS)])
            text = click.style(text, dim=True) if dim else text
        sys.stdout.write(f"{stamp} {head} {text}\n")
        sys.stdout.flush()


def plan_lines(plan: ResumePlan) -> list[str]:
    """What a resumed run takes over and what it runs, for people."""
    carried = ", ".join(f"{step} ({count})" for step, count in plan.carried_count.items())
    lines = [f"Taken over from {plan.origin}: {carried or 'nothing'}"]
    shown = list(plan.reasons.items())[:_SHOWN_REASONS]
    lines += [f"  runs: {task}, which {reason}" for task, reason in shown]
    if len(plan.reasons) > len(shown):
        lines.append(f"  and {len(plan.reasons) - len(shown)} more, and all that follows them")
    return lines
