"""``logs``: what tasks printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from airflow_mlflow_provider.cli.paths import attempts_at
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.exception import CommandException, StoreException
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.identity import parse_task_id
from airflow_mlflow_provider.runtime.log_scrubbing import scrub_attempt
from airflow_mlflow_provider.runtime.logs import STREAMS, LogLine, Stream, decode_lines
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

_POLL_SECONDS = 0.5


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


def _which_streams(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--stdout/--no-stdout", default=False, help="Standard output."),
        click.option("--stderr/--no-stderr", default=False, help="Standard error."),
        click.option("--both/--no-both", default=True, help="Both, where neither is asked for; the default."),
        click.option("--attempt", type=click.IntRange(0), help="Another than the latest attempt, 0-based."),
    ):
        command = option(command)
    return command


@logs.command("show", help="Print the log of RUN/STEP or RUN/STEP/TASK.")
@click.argument("input_path")
@_which_streams
@click.option("--timestamps/--no-timestamps", default=False, help="With the time of each line (UTC).")
@click.option("--foreach", "foreach_index", type=click.IntRange(0), help="The tasks of this split only.")
@click.option("--follow", is_flag=True, help="Go on until the tasks have ended.")
@click.pass_obj
def show(
    session: Session,
    input_path: str,
    stdout: bool,
    stderr: bool,
    both: bool,
    timestamps: bool,
    attempt: int | None,
    foreach_index: int | None,
    follow: bool,
) -> None:
    """Print logs."""
    streams = _streams(stdout, stderr, both)
    ledger = session.ledger()
    keys = _attempts(ledger, session, input_path, attempt, foreach_index)
    printed = dict.fromkeys(keys, 0)
    headed: AttemptKey | None = None
    while True:
        # Asked before the log is read, so that the last lines are not missed.
        ended = [key for key in keys if not follow or ledger.done(key) is not None]
        for key in keys:
            lines = _lines(ledger, key, streams)
            fresh, printed[key] = lines[printed[key] :], len(lines)
            if len(keys) > 1 and headed != key and (fresh or not follow):
                session.note(f"{key.run}/{key.step}/{key.task} (attempt {key.attempt})")
                headed = key
            for line in fresh:
                stamp = f"{line.time:%Y-%m-%dT%H:%M:%S.%fZ} ".encode() if timestamps else b""
                sys.stdout.buffer.write(stamp + line.text + b"\n")
        sys.stdout.buffer.flush()
        if len(ended) == len(keys) or _run_has_ended(ledger, keys):
            return
        time.sleep(_POLL_SECONDS)


@logs.command("scrub", help="Overwrite the log of RUN/STEP or RUN/STEP/TASK in the store; for good.")
@click.argument("input_path")
@_which_streams
@click.option("--latest/--all", "latest", default=True, help="The latest attempt, or all of them.")
@click.option("--include-not-done", is_flag=True, help="Tasks that have not ended as well.")
@click.pass_obj
def scrub(
    session: Session,
    input_path: str,
    stdout: bool,
    stderr: bool,
    both: bool,
    attempt: int | None,
    latest: bool,
    include_not_done: bool,
) -> int:
    """Overwrite logs; 1 if any could not be."""
    streams = _streams(stdout, stderr, both)
    ledger = session.ledger()
    keys = _attempts(ledger, session, input_path, attempt, None)
    if attempt is None and not latest:
        keys = [other for key in keys for other in _all_attempts(ledger, key)]
    failed = 0
    for key in keys:
        name = f"{key.run}/{key.step}/{key.task} (attempt {key.attempt})"
        if not include_not_done and ledger.done(key) is None:
            click.echo(f"{name}: has not ended; give --include-not-done to scrub it", err=True)
            continue
        try:
            chunks = scrub_attempt(ledger, key, streams, session.user)
        except StoreException as error:
            failed += 1
            click.echo(f"{name}: could not be scrubbed: {error}", err=True)
        else:
            click.echo(f"{name}: scrubbed, {chunks} object(s)")
    session.note("Airflow keeps its own copy of the logs of its tasks, which this does not touch.")
    return 1 if failed else 0


def _attempts(
    ledger: Ledger, session: Session, path: str, attempt: int | None, foreach_index: int | None
) -> list[AttemptKey]:
    keys = attempts_at(ledger, session.flow_name, path)
    if foreach_index is not None:
        chosen = [key for key in keys if parse_task_id(key.task)[0][-1:] == (foreach_index,)]
        if not chosen:
            raise CommandException(
                f"{session.flow_name}/{path} has no split {foreach_index}; its tasks are "
                f"{', '.join(key.task for key in keys[:20])}.",
                fix="Give --foreach the 0-based index of a split.",
                where={"flow": session.flow_name, "path": path},
            )
        keys = chosen
    return keys if attempt is None else [_other_attempt(ledger, key, attempt) for key in keys]


def _streams(stdout: bool, stderr: bool, both: bool) -> Sequence[Stream]:
    asked = {"stdout": stdout, "stderr": stderr}
    chosen = [stream for stream in STREAMS if asked[stream]] or (STREAMS if both else ())
    if not chosen:
        raise click.UsageError("--no-both leaves nothing; add --stdout or --stderr.")
    return chosen


def _lines(ledger: Ledger, key: AttemptKey, streams: Sequence[Stream]) -> list[LogLine]:
    lines = [line for stream in streams for line in decode_lines(ledger.read_log(key, stream))]
    return sorted(lines, key=lambda line: line.time)


def _run_has_ended(ledger: Ledger, keys: Sequence[AttemptKey]) -> bool:
    return all(ledger.run_end(flow, run) is not None for flow, run in {(key.flow, key.run) for key in keys})


def _all_attempts(ledger: Ledger, key: AttemptKey) -> list[AttemptKey]:
    numbers = ledger.attempts(key.flow, key.run, key.step, key.task)
    return [AttemptKey(key.flow, key.run, key.step, key.task, number) for number in numbers]


def _other_attempt(ledger: Ledger, latest: AttemptKey, attempt: int) -> AttemptKey:
    attempts = _all_attempts(ledger, latest)
    if attempt not in [key.attempt for key in attempts]:
        raise CommandException(
            f"{latest.pathspec} has no attempt {attempt}; it has {', '.join(str(k.attempt) for k in attempts)}.",
            fix="Name one of those.",
            where={"task": latest.pathspec},
        )
    return AttemptKey(latest.flow, latest.run, latest.step, latest.task, attempt)
