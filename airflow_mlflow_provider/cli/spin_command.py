"""``spin``: one step again, on the inputs of a past task."""

from __future__ import annotations

import runpy
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from airflow_mlflow_provider.cli.attribute_file import write_attributes
from airflow_mlflow_provider.cli.output_file import OutputFile
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.runtime.context import FlowContext
from airflow_mlflow_provider.runtime.spin import HONOURED, SpinRequest, spin
from airflow_mlflow_provider.store._overlay import SCHEME, SPIN_FOLDER
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord

_LOOKED_AT = 100
_MOST_PARTS = 3


def command_options() -> list[click.Parameter]:
    """The options of ``spin``."""
    option = click.Option
    return [
        option(
            ["--skip-decorators/--no-skip-decorators"],
            default=False,
            help="Run the step's function without any decorator.",
        ),
        option(
            ["--artifacts-module"],
            type=click.Path(exists=True, dir_okay=False),
            help="A Python file whose ARTIFACTS, a dict, stands in for inherited artifacts.",
        ),
        option(
            ["--persist/--no-persist"],
            default=False,
            help=f"Keep the result in {SPIN_FOLDER}, for inspect_spin().",
        ),
        option(
            ["--max-log-size"],
            type=float,
            default=10,
            hidden=True,
            help="Accepted; spin prints and keeps no log.",
        ),
        option(["--run-id-file"], type=OutputFile(), help="Write the id of the spun run there."),
        option(
            ["--runner-attribute-file"],
            type=OutputFile(),
            help="Write the task's pathspec and store there.",
        ),
    ]


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``spin`` command."""

    def call(**values: Any) -> int:
        return _spin(click.get_current_context().obj, values)

    arguments: list[click.Parameter] = [click.Argument(["pathspec"])]
    text = "Run the step of a past task again, on its inputs. PATHSPEC is STEP, RUN/STEP or RUN/STEP/TASK."
    return click.Command(name, callback=call, params=[*arguments, *command_options()], help=text)


def _spin(session: Session, values: dict[str, Any]) -> int:
    began = time.monotonic()
    manifest = session.local_manifest()
    ledger = session.ledger()
    origin = past_task(ledger, session, values["pathspec"])
    folder = Path.cwd() / SPIN_FOLDER if values["persist"] else None
    if manifest.environment != "local" and not values["skip_decorators"]:
        from airflow_mlflow_provider.cli.spin_environment import in_environment

        manifest = in_environment(session, manifest, ledger, origin.key, folder)
    context = FlowContext(session.flow_class, manifest)
    _tell_ignored(session, origin, values["skip_decorators"])
    with tempfile.TemporaryDirectory(prefix="spin-") as temporary:
        kept = folder or Path(temporary)
        request = SpinRequest(
            origin,
            kept,
            session.user,
            not values["skip_decorators"],
            _stand_ins(values["artifacts_module"]),
        )
        session.note(f"Spinning {session.flow_name}/{origin.key.run}/{origin.key.step}/{origin.key.task}")
        result = spin(context, ledger, request)
        if values["run_id_file"]:
            Path(values["run_id_file"]).write_text(result.key.run, "utf-8")
        if values["runner_attribute_file"]:
            write_attributes(
                values["runner_attribute_file"],
                pathspec=result.key.pathspec,
                metadata=f"{SCHEME}{kept.resolve().as_uri()}",
            )
    failed = result.outcome == "failed"
    where = f"; the result is {result.key.pathspec} in {folder}" if folder else ""
    session.note(f"{'Failed' if failed else 'Done'} after {time.monotonic() - began:.1f} s{where}")
    return int(failed)


def past_task(ledger: Ledger, session: Session, pathspec: str) -> DoneRecord:
    """The newest record of the task that a path names.

    Args:
        ledger: The records.
        session: The invocation.
        pathspec: ``STEP``, ``RUN/STEP`` or ``RUN/STEP/TASK``, each with or without the flow's name before it.

    Raises:
        CommandException: There is no such step, or no task of it has ended.
    """
    parts = [part for part in pathspec.split("/") if part]
    if len(parts) > 1 and parts[0] == session.flow_name:
        parts = parts[1:]
    if not 1 <= len(parts) <= _MOST_PARTS:
        raise CommandException(
            f"'{pathspec}' names no task.",
            fix="Give STEP, RUN/STEP or RUN/STEP/TASK.",
            where={"pathspec": pathspec},
        )
    step = parts[0] if len(parts) == 1 else parts[1]
    if step not in session.graph:
        raise CommandException(
            f"{session.flow_name} has no step '{step}'.",
            fix=f"Name one of {', '.join(session.graph.steps)}.",
            where={"flow": session.flow_name, "step": step},
        )
    runs = [parts[0]] if len(parts) > 1 else ledger.latest(session.flow_name, _LOOKED_AT)
    for run in runs:
        keys = ledger.newest_done_keys(session.flow_name, run, step)
        wanted = parts[2] if len(parts) == _MOST_PARTS else min(keys, default=None)
        if wanted in keys:
            return ledger.load_done([keys[wanted]])[0]
    raise CommandException(
        f"No task at {pathspec} has ended in {session.store_url}.",
        fix=f"Run the flow first. Its latest runs: {', '.join(runs[:5]) or 'none'}.",
        where={"flow": session.flow_name, "step": step},
    )


def _tell_ignored(session: Session, origin: DoneRecord, skipped: bool) -> None:
    specs = [] if skipped else session.graph[origin.key.step].decorators
    known = {"airflow_task", "cache", "catch", "kubernetes", "resources", "retry"}
    if session.options.environment == "local":
        known.add("pypi")
    ignored = [f"@{spec.name}" for spec in specs if spec.name in known - HONOURED]
    if ignored:
        session.note(f"Not applied when a step is spun: {', '.join(ignored)}")


def _stand_ins(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    found = runpy.run_path(file).get("ARTIFACTS")
    if not isinstance(found, dict):
        raise CommandException(
            f"{file} defines no dict ARTIFACTS.",
            fix="Write ARTIFACTS = {'name': value, …} into it.",
            where={"file": file},
        )
    return found
