"""``run``: the flow on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from airflow_mlflow_provider.cli.output import RunPrinter
from airflow_mlflow_provider.cli.parameter_options import given_parameters, parameter_options
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.runtime.context import FlowContext
from airflow_mlflow_provider.runtime.local import LocalOptions, LocalRun, run_flow
from airflow_mlflow_provider.runtime.package import CodePackage, build_package
from airflow_mlflow_provider.runtime.supervisor import LogPolicy

_SIGNAL_BASE = 128


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``run`` command of a flow; its parameters are options."""
    options = [
        click.Option(["--tag", "tags"], multiple=True, help="Tag of the run; may be repeated."),
        click.Option(
            ["--max-workers"], type=click.IntRange(1), default=get("max_workers"), show_default=True
        ),
        click.Option(
            ["--max-num-splits"],
            type=click.IntRange(1),
            default=get("max_num_splits"),
            show_default=True,
            help="Widest foreach allowed.",
        ),
        click.Option(
            ["--max-log-size"],
            type=float,
            default=get("max_log_size"),
            show_default=True,
            help="MB kept of each stream of each task.",
        ),
        click.Option(["--run-id-file"], type=click.Path(dir_okay=False), help="Write the run's id there."),
        click.Option(["--namespace", "user_namespace"], help="Namespace of the client in steps."),
        click.Option(["--keep-going"], is_flag=True, help="Let independent branches finish after a failure."),
        click.Option(
            ["--max-iterations"], type=click.IntRange(1), default=get("max_iterations"), show_default=True
        ),
    ]

    def run(**values: Any) -> int:
        return _run(click.get_current_context().obj, values)

    taken = {option for parameter in options for option in parameter.opts}
    params: list[click.Parameter] = [*options, *parameter_options(flow_class, taken)]
    return click.Command(name, callback=run, params=params, help="Run the flow on this machine.")


def _run(session: Session, values: dict[str, Any]) -> int:
    manifest = session.manifest()
    parameters = given_parameters(session.flow_class, values, session.flow_name)
    printer = RunPrinter(session, values["run_id_file"])
    options = LocalOptions(
        user=session.user,
        max_workers=values["max_workers"],
        max_num_splits=values["max_num_splits"],
        max_iterations=values["max_iterations"],
        keep_going=values["keep_going"],
        fail_grace=get("fail_grace_s"),
        kill_grace=get("timeout_grace_s"),
        heartbeat=get("heartbeat_s"),
        tags=tuple(values["tags"]),
        logs=LogPolicy(int(values["max_log_size"] * 1_000_000), get("log_flush_s")),
    )
    context = FlowContext(session.flow_class, manifest)
    ended = run_flow(context, parameters, options, printer, lambda: _package(session))
    printer.finished(ended)
    return _exit_code(ended)


def _package(session: Session) -> CodePackage:
    store = session.store_url
    skip = [Path(store.removeprefix("file://"))] if store.startswith("file://") else []
    return build_package(
        session.file, suffixes=session.options.suffixes, max_mb=int(get("package_max_mb")), skip=skip
    )


def _exit_code(ended: LocalRun) -> int:
    if ended.signal:
        return _SIGNAL_BASE + ended.signal
    return 0 if ended.status == "succeeded" else 1
