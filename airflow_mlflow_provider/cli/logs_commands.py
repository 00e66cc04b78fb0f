"""``logs``: what tasks printed."""

from __future__ import annotations

import sys

import click

from airflow_mlflow_provider.cli.paths import attempts_at
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.runtime.logs import LogLine, decode_lines
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``logs`` group."""
    return logs


class _ShowByDefault(click.Group):
    """``logs PATH`` means ``logs show PATH``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group("logs", cls=_ShowByDefault, help="What tasks printed.")
def logs() -> None:
    """The group of log commands."""


@logs.command("show", help="Print the log of RUN/STEP or RUN/STEP/TASK.")
@click.argument("input_path")
@click.option("--stdout", "only", flag_value="stdout", help="Standard output only.")
@click.option("--stderr", "only", flag_value="stderr", help="Standard error only.")
@click.option("--both", "only", flag_value="both", default="both", help="Both, in the order of time.")
@click.option("--timestamps", is_flag=True, help="With the time of each line (UTC).")
@click.option("--attempt", type=click.IntRange(0), help="Another than the latest attempt, 0-based.")
@click.pass_obj
def show(session: Session, input_path: str, only: str, timestamps: bool, attempt: int | None) -> None:
    """Print logs."""
    ledger = session.ledger()
    keys = attempts_at(ledger, session.flow_name, input_path)
    for latest in keys:
        key = latest if attempt is None else _other_attempt(ledger, latest, attempt)
        if len(keys) > 1:
            session.note(f"{key.run}/{key.step}/{key.task} (attempt {key.attempt})")
        for line in _lines(ledger, key, ("stdout", "stderr") if only == "both" else (only,)):
            stamp = f"{line.time:%Y-%m-%dT%H:%M:%S.%fZ} ".encode() if timestamps else b""
            sys.stdout.buffer.write(stamp + line.text + b"\n")


def _lines(ledger: Ledger, key: AttemptKey, streams: tuple[str, ...]) -> list[LogLine]:
    lines = [line for stream in streams for line in decode_lines(ledger.read_log(key, stream))]
    return sorted(lines, key=lambda line: line.time)


def _other_attempt(ledger: Ledger, latest: AttemptKey, attempt: int) -> AttemptKey:
    attempts = ledger.attempts(latest.flow, latest.run, latest.step, latest.task)
    if attempt not in attempts:
        raise CommandException(
            f"{latest.pathspec} has no attempt {attempt}; it has {', '.join(map(str, attempts))}.",
            fix="Name one of those.",
            where={"task": latest.pathspec},
        )
    return AttemptKey(latest.flow, latest.run, latest.step, latest.task, attempt)
