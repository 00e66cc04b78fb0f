"""``run`` and ``resume``: the flow on this machine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from airflow_mlflow_provider.cli.origin import latest_local_run
from airflow_mlflow_provider.cli.output import RunPrinter, resume_lines
from airflow_mlflow_provider.cli.output_file import OutputFile
from airflow_mlflow_provider.cli.parameter_options import (
    explicit_parameters,
    given_parameters,
    parameters_of_file,
    with_parameters,
)
from airflow_mlflow_provider.cli.session import Session, checked_tags
from airflow_mlflow_provider.cli.triggering import emulated_trigger, event_parameters
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.preparation import flow_decorators
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.runtime.context import FlowContext
from airflow_mlflow_provider.runtime.environments.requests import check_declared
from airflow_mlflow_provider.runtime.local import LocalOptions, LocalRun, run_flow
from airflow_mlflow_provider.runtime.log_storing import LogPolicy
from airflow_mlflow_provider.runtime.package import CodePackage
from airflow_mlflow_provider.runtime.resume import ResumeRequest, plan_resume_of

_SIGNAL_BASE = 128


def command_options(name: str) -> list[click.Parameter]:
    """The options of ``run`` or ``resume``, without the flow's parameters."""
    return [*_resume_options(), *_options()] if name == "resume" else _options()


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``run`` or ``resume`` command of a flow; its parameters are options."""
    options = with_parameters(command_options(name), flow_class)
    if name == "resume":
        text = "Start a new run that takes over what has finished in another one."
        return click.Command(name, callback=_callback(_resume), params=options, help=text)
    return click.Command(name, callback=_callback(_run), params=options, help="Run the flow on this machine.")


def _callback(command: Callable[[Session, dict[str, Any]], int]) -> Callable[..., int]:
    def call(**values: Any) -> int:
        return command(click.get_current_context().obj, values)

    return call


def _options() -> list[click.Parameter]:
    option = click.Option
    return [
        option(["--tag", "tags"], multiple=True, help="Tag of the run; may be repeated."),
        # Taken before these options are read, as they are the flow's, which it may change.
        option(
            ["--with"], multiple=True, expose_value=False, help="Add a decorator to every step that lacks it."
        ),
        option(["--max-workers"], type=click.IntRange(1), default=get("max_workers"), show_default=True),
        option(
            ["--max-num-splits"],
            type=click.IntRange(1),
            default=get("max_num_splits"),
            show_default=True,
            help="Widest foreach allowed.",
        ),
        option(
            ["--max-log-size"],
            type=float,
            default=get("max_log_size"),
            show_default=True,
            help="MB kept of each stream of each task.",
        ),
        option(["--run-id-file"], type=OutputFile(), help="Write the run's id there."),
        option(
            ["--runner-attribute-file"],
            type=OutputFile(),
            help="Write flow, run id and store there, as JSON.",
        ),
        option(["--parameters-file"], type=click.Path(exists=True, dir_okay=False), hidden=True),
        option(["--namespace", "user_namespace"], help="Namespace of the client in steps."),
        option(
            ["--cache/--no-cache"],
            default=True,
            help="Reuse results of steps that carry @cache.",
            show_default=True,
        ),
        option(["--keep-going"], is_flag=True, help="Let independent branches finish after a failure."),
        option(
            ["--max-iterations"], type=click.IntRange(1), default=get("max_iterations"), show_default=True
        ),
    ]


def _resume_options() -> list[click.Parameter]:
    return [
        click.Argument(["step_to_rerun"], required=False),
        click.Option(["--origin-run-id"], help="The run to resume; the latest local run by default."),
        click.Option(["--until"], metavar="STEP", help="Run this step and what it needs, then stop."),
        click.Option(["--rerun-changed"], is_flag=True, help="Run steps again whose code has changed."),
        click.Option(["--clone-only"], is_flag=True, help="Take over what has finished, and run nothing."),
        click.Option(["--dry-run"], is_flag=True, help="Tell what would be taken over and what would run."),
    ]


def _run(session: Session, values: dict[str, Any]) -> int:
    parameters = {
        **event_parameters(session),
        **parameters_of_file(session.flow_class, values["parameters_file"]),
        **explicit_parameters(session.flow_class, values),
    }
    parameters |= given_parameters(session.flow_class, values, session.flow_name, already=parameters)
    return _start(session, values, parameters, None)


def _resume(session: Session, values: dict[str, Any]) -> int:
    parameters = {
        **parameters_of_file(session.flow_class, values["parameters_file"]),
        **explicit_parameters(session.flow_class, values),
    }
    origin = values["origin_run_id"] or latest_local_run(session)
    request = ResumeRequest(
        origin,
        values["step_to_rerun"],
        parameters,
        values["rerun_changed"],
        values["until"],
    )
    if values["dry_run"]:
        for line in resume_lines(plan_resume_of(session.ledger(), session.manifest(), request).summary):
            click.echo(line)
        return 0
    return _start(session, values, parameters, request)


def _start(
    session: Session, values: dict[str, Any], parameters: dict[str, Any], resume: ResumeRequest | None
) -> int:
    session.check()
    printer = RunPrinter(session, values["run_id_file"], values["runner_attribute_file"])
    options = LocalOptions(
        user=session.user,
        max_workers=values["max_workers"],
        max_num_splits=values["max_num_splits"],
        max_iterations=values["max_iterations"],
        keep_going=values["keep_going"],
        cache=values["cache"],
        clone_only=values.get("clone_only", False),
        fail_grace=get("fail_grace_s"),
        kill_grace=get("timeout_grace_s"),
        heartbeat=get("heartbeat_s"),
        tags=checked_tags(values["tags"]),
        logs=LogPolicy(int(values["max_log_size"] * 1_000_000), get("log_flush_s")),
        trigger=(lambda: emulated_trigger(session)) if resume is None else None,
    )
    context = FlowContext(session.flow_class, session.local_manifest(values["user_namespace"]))
    check_declared(context.manifest)
    environments = None
    if context.manifest.environment != "local":
        origin = resume.origin if resume is not None else None
        environments = functools.partial(session.ready_environments, origin=origin)
    ended = run_flow(context, parameters, options, printer, lambda: _package(session), resume, environments)
    printer.finished(ended)
    _call_exit_hooks(session, context, ended)
    return _exit_code(ended)


def _call_exit_hooks(session: Session, context: FlowContext, ended: LocalRun) -> None:
    if ended.status == "terminated" and not ended.signal:
        return
    if all(decorator.name != "exit_hook" for decorator in flow_decorators(session.flow_class)):
        return
    from airflow_mlflow_provider.runtime.exit_hooks import run_local_hooks

    succeeded, timeout = ended.status == "succeeded", float(get("exit_hook_timeout_s"))
    for failure in run_local_hooks(session.flow_class, context.manifest, ended.run.run, succeeded, timeout):
        click.echo(failure, err=True)


def _package(session: Session) -> CodePackage | None:
    """The code to keep with the run; a folder that is too large for that must not keep a laptop from running."""
    try:
        return session.package()
    except CommandException as error:
        click.secho(f"The run's code is not stored. {error}", fg="yellow", err=True)
        return None


def _exit_code(ended: LocalRun) -> int:
    if ended.signal:
        return _SIGNAL_BASE + ended.signal
    # A run that was told where to stop has done so.
    return 1 if ended.status == "failed" else 0
