"""What ``RUN/STEP`` and ``RUN/STEP/TASK`` mean on a command line."""

from __future__ import annotations

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.store.existing import what_exists
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord

_PARTS = (2, 3)


def split_path(flow: str, path: str) -> tuple[str, str, str | None]:
    """Run, step and task of ``RUN/STEP[/TASK]``, with or without the flow's name before them.

    Raises:
        CommandException: The path has another form.
    """
    parts = [part for part in path.split("/") if part]
    if parts and parts[0] == flow:
        parts = parts[1:]
    if len(parts) not in _PARTS:
        raise CommandException(
            f"'{path}' is not of the form RUN/STEP or RUN/STEP/TASK.",
            fix="Give a run id and a step, such as 20261123-120000-0a1b2/train.",
        )
    return parts[0], parts[1], parts[2] if len(parts) == _PARTS[1] else None


def attempts_at(ledger: Ledger, flow: str, path: str) -> list[AttemptKey]:
    """The latest attempt that was started, of each task at a path.

    Raises:
        CommandException: There is no such task; the message says what exists.
    """
    run, step, task = split_path(flow, path)
    tasks = ledger.tasks(flow, run, step)
    chosen = [t for t in tasks if task in (None, t)]
    if not chosen:
        raise _nothing(ledger, flow, run, step, task)
    keys = []
    for name in chosen:
        attempts = ledger.attempts(flow, run, step, name)
        if attempts:
            keys.append(AttemptKey(flow, run, step, name, attempts[-1]))
    return keys


def tasks_at(ledger: Ledger, flow: str, path: str) -> list[DoneRecord]:
    """The newest records of the tasks at a path.

    Raises:
        CommandException: No task there has finished; the message says what exists.
    """
    run, step, task = split_path(flow, path)
    keys = ledger.newest_done_keys(flow, run, step)
    chosen = [key for name, key in sorted(keys.items()) if task in (None, name)]
    if not chosen:
        raise _nothing(ledger, flow, run, step, task, "Nothing has finished")
    return ledger.load_done(chosen)


def _nothing(
    ledger: Ledger, flow: str, run: str, step: str, task: str | None, said: str = "There is nothing"
) -> CommandException:
    wanted = "/".join(part for part in (run, step, task) if part)
    return CommandException(
        f"{said} at {flow}/{wanted} ({what_exists(ledger, flow, run, step)}).",
        fix="Name one of those.",
        where={"flow": flow, "run": run, "step": step, "task": task},
    )
