"""``airflow trigger`` and ``airflow resume``: start a run of the deployed flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cli.airflow.run_commands import show_status
from airflow_mlflow_provider.cli.airflow.session import AirflowSession
from airflow_mlflow_provider.cli.attribute_file import write_attributes
from airflow_mlflow_provider.cli.output import resume_lines
from airflow_mlflow_provider.cli.output_file import OutputFile
from airflow_mlflow_provider.cli.parameter_options import (
    explicit_parameters,
    given_parameters,
    with_parameters,
)
from airflow_mlflow_provider.cli.session import checked_tags
from airflow_mlflow_provider.client.tagging import put_first_tags
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.resuming import (
    ResumeOptions,
    find_origin,
    plan_deployed_resume,
    resumed_manifest,
    start_resumed,
)
from airflow_mlflow_provider.deploy.runs import (
    StartedRun,
    check_conf,
    new_dag_run_id,
    start_run,
    wait,
    wait_until_parsed,
)
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.runtime.included_files import keep_given_files

_A_YEAR = 31_536_000.0


def trigger(flow_class: type[FlowSpec]) -> click.Command:
    """The command of a flow; its parameters are options."""
    options: list[click.Parameter] = [
        click.Option(["--run-id-file"], type=OutputFile(), help="Write the run's id there."),
        click.Option(["--wait/--no-wait"], default=False, help="Wait until the run has ended."),
        click.Option(
            ["--conf-file"], type=click.Path(exists=True, dir_okay=False), help="Parameters as JSON."
        ),
        click.Option(["--unpause"], is_flag=True, help="Unpause the DAG first."),
        click.Option(
            ["--tag", "tags"], multiple=True, help="Tag of this run, beside those of the deployment."
        ),
        click.Option(
            ["--deployer-attribute-file"],
            type=OutputFile(),
            help="Write DAG id, flow, run and store there, as JSON.",
        ),
    ]
    return click.Command(
        "trigger",
        callback=_trigger,
        params=with_parameters(options, flow_class),
        help="Start a run.",
    )


def resume(flow_class: type[FlowSpec]) -> click.Command:
    """The command of a flow; parameters that differ from the origin's are options."""
    options: list[click.Parameter] = [
        click.Argument(["step_to_rerun"], required=False, metavar="[RUN]"),
        click.Argument(["step_of_run"], required=False, metavar="[STEP]"),
        click.Option(["--origin-run-id"], help="The run to resume, local or on Airflow, instead of RUN."),
        click.Option(["--rerun-changed"], is_flag=True, help="Run steps again whose code has changed."),
        click.Option(
            ["--code"],
            type=click.Choice(["current", "origin"]),
            default="current",
            show_default=True,
            help="Whose code runs: what is deployed now, or that of the origin.",
        ),
        click.Option(["--until"], metavar="STEP", help="Run this step and what it needs, then stop."),
        click.Option(["--clone-only"], is_flag=True, help="Take over what has finished, and run nothing."),
        click.Option(["--dry-run"], is_flag=True, help="Tell what would be taken over and what would run."),
        click.Option(["--run-id-file"], type=OutputFile(), help="Write the run's id there."),
        click.Option(["--wait/--no-wait"], default=False, help="Wait until the run has ended."),
    ]
    return click.Command(
        "resume",
        callback=_resume,
        params=with_parameters(options, flow_class),
        help="Start a new run that takes over what has finished in another one.",
    )


@click.pass_context
def _trigger(ctx: click.Context, /, **values: Any) -> int:
    airflow: AirflowSession = ctx.obj
    manifest = airflow.deployed().flow_manifest()
    session = airflow.session
    tags = checked_tags(values["tags"])
    conf: dict[str, Any] = {}
    if values["conf_file"]:
        conf = _conf_of_file(values["conf_file"])
    conf |= given_parameters(session.flow_class, values, session.flow_name, already=conf)
    check_conf(manifest, conf)
    conf = keep_given_files(session.flow_class, manifest, conf, airflow.ledger)
    rest = AirflowRest.configured()
    _wait_for_fresh_dag(rest, airflow)
    if values["unpause"]:
        rest.set_paused(airflow.dag_id, False)
    dag_run_id = _named_run(airflow, values["run_id_file"])
    if tags:
        run_id = airflow_run_id(airflow.dag_id, dag_run_id)
        put_first_tags(airflow.ledger, manifest.flow_name, run_id, (*manifest.tags, *tags))
    started = start_run(rest, airflow.dag_id, conf, dag_run_id, tags)
    if values["deployer_attribute_file"]:
        write_attributes(
            values["deployer_attribute_file"],
            name=airflow.dag_id,
            flow_name=session.flow_name,
            metadata=session.store_url,
            pathspec=f"{session.flow_name}/{started.run}",
            dag_run_id=dag_run_id,
        )
    return _follow(rest, airflow, started, wait_for_end=values["wait"])


def _conf_of_file(path: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise click.BadParameter(f"{path} is no JSON object: {error}.", param_hint="--conf-file") from None


@click.pass_context
def _resume(ctx: click.Context, /, **values: Any) -> int:
    airflow: AirflowSession = ctx.obj
    origin, step = _origin_and_step(values)
    manifest = airflow.deployed().flow_manifest()
    changed = explicit_parameters(airflow.session.flow_class, values)
    changed = keep_given_files(airflow.session.flow_class, manifest, changed, airflow.ledger)
    options = ResumeOptions(
        origin=find_origin(airflow.ledger, manifest, origin).run,
        step=step,
        parameters=changed,
        rerun_changed=values["rerun_changed"],
        code=values["code"],
        until=values["until"],
        clone_only=values["clone_only"],
    )
    if values["dry_run"]:
        seen = resumed_manifest(airflow.ledger, manifest, options)
        for line in resume_lines(plan_deployed_resume(airflow.ledger, seen, options).summary):
            click.echo(line)
        return 0
    rest = AirflowRest.configured()
    _wait_for_fresh_dag(rest, airflow)
    dag_run_id = _named_run(airflow, values["run_id_file"])
    resumed = start_resumed(rest, airflow.ledger, manifest, options, dag_run_id)
    for line in resume_lines(resumed.summary):
        airflow.session.note(line)
    if not resumed.in_one_go:
        airflow.session.note("  the API server did not do it: tasks taken over start, and end at once")
    return _follow(rest, airflow, resumed.started, wait_for_end=values["wait"])


def _origin_and_step(values: dict[str, Any]) -> tuple[str, str | None]:
    """``resume RUN [STEP]``, or ``resume [STEP] --origin-run-id RUN``."""
    named, first, second = values["origin_run_id"], values["step_to_rerun"], values["step_of_run"]
    if named is not None:
        if second is not None:
            raise click.UsageError("With --origin-run-id, only a step is given besides.")
        return named, first
    if first is None:
        raise click.UsageError("Name the run to resume: RUN [STEP], or --origin-run-id RUN.")
    return first, second


def _named_run(airflow: AirflowSession, run_id_file: str | None) -> str:
    """A DAG run id, the run id of which is written to a file before Airflow is asked."""
    dag_run_id = new_dag_run_id()
    if run_id_file:
        Path(run_id_file).write_text(airflow_run_id(airflow.dag_id, dag_run_id), encoding="utf-8")
    return dag_run_id


def _follow(rest: AirflowRest, airflow: AirflowSession, started: StartedRun, *, wait_for_end: bool) -> int:
    click.echo(started.run)
    airflow.session.note(f"Started {airflow.session.flow_name}/{started.run}: {started.url}")
    if not wait_for_end:
        return 0
    wait(lambda: airflow.status(rest, started.dag_run_id).ended, _A_YEAR)
    status = airflow.status(rest, started.dag_run_id)
    show_status(status)
    return 0 if status.state == "success" else 1


def _wait_for_fresh_dag(rest: AirflowRest, airflow: AirflowSession) -> None:
    dag = rest.dag(airflow.dag_id)
    if dag is None:
        record = airflow.deployed()
        name = record.target.rpartition("/")[2]
        wait_until_parsed(rest, airflow.dag_id, name, 0.0, get("deploy_wait_s"))
