"""``airflow``: deploy the flow into an Airflow, start it there, see how it stands."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cli.attribute_file import write_attributes
from airflow_mlflow_provider.cli.deployment_commands import list_deployments
from airflow_mlflow_provider.cli.output import resume_lines
from airflow_mlflow_provider.cli.parameter_options import (
    explicit_parameters,
    given_parameters,
    with_parameters,
)
from airflow_mlflow_provider.cli.session import Session, checked_tags
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.assemble import DeploymentOptions, project_of
from airflow_mlflow_provider.deploy.create import CreateOptions, Deployed, deploy
from airflow_mlflow_provider.deploy.destination import deployment_files
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments, check_token
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.resuming import ResumeOptions, plan_deployed_resume, start_resumed
from airflow_mlflow_provider.deploy.runs import (
    RunStatus,
    StartedRun,
    check_conf,
    find_dag_run,
    new_dag_run_id,
    run_status,
    start_run,
    wait,
    wait_until_parsed,
)
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.identity import airflow_run_id, dag_id
from airflow_mlflow_provider.plan.manifest import Limits, encode
from airflow_mlflow_provider.runtime.included_files import keep_given_files
from airflow_mlflow_provider.store.ledger import Ledger

EXIT_NOT_ENDED = 3
_A_YEAR = 31_536_000.0


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``airflow`` group of a flow; its parameters are options of ``trigger``."""
    group = click.Group(
        name,
        help="Deploy the flow into an Airflow, start it there, see how it stands.",
        params=[
            click.Option(["--name", "deployment_name"], help="Name of the deployment instead of the flow's."),
            click.Option(["--branch"], help="Branch of @project."),
            click.Option(["--production"], is_flag=True, help="The production branch of @project."),
        ],
        callback=click.pass_context(_enter),
    )
    for command in (create, status, list_runs, terminate, delete, pause, unpause):
        group.add_command(command)
    group.add_command(list_deployments(flow_class))
    trigger_options: list[click.Parameter] = [
        click.Option(["--run-id-file"], type=click.Path(dir_okay=False), help="Write the run's id there."),
        click.Option(["--wait/--no-wait"], default=False, help="Wait until the run has ended."),
        click.Option(
            ["--conf-file"], type=click.Path(exists=True, dir_okay=False), help="Parameters as JSON."
        ),
        click.Option(["--unpause"], is_flag=True, help="Unpause the DAG first."),
        click.Option(
            ["--deployer-attribute-file"],
            type=click.Path(dir_okay=False),
            help="Write DAG id, flow, run and store there, as JSON.",
        ),
    ]
    group.add_command(
        click.Command(
            "trigger",
            callback=_trigger,
            params=with_parameters(trigger_options, flow_class),
            help="Start a run.",
        )
    )
    resume_options: list[click.Parameter] = [
        click.Argument(["step_to_rerun"], required=False),
        click.Option(["--origin-run-id"], required=True, help="The run to resume, local or on Airflow."),
        click.Option(["--dry-run"], is_flag=True, help="Tell what would be taken over and what would run."),
        click.Option(["--run-id-file"], type=click.Path(dir_okay=False), help="Write the run's id there."),
        click.Option(["--wait/--no-wait"], default=False, help="Wait until the run has ended."),
    ]
    group.add_command(
        click.Command(
            "resume",
            callback=_resume,
            params=with_parameters(resume_options, flow_class),
            help="Start a new run that takes over what has finished in another one.",
        )
    )
    return group


def _enter(ctx: click.Context, deployment_name: str | None, branch: str | None, production: bool) -> None:
    session: Session = ctx.obj
    options = DeploymentOptions(
        name=deployment_name,
        branch=branch or session.options.branch,
        production=production or session.options.production,
    )
    ctx.obj = AirflowSession(session, options)


class AirflowSession:
    """What the commands of the group share: one deployment of the flow."""

    def __init__(self, session: Session, options: DeploymentOptions) -> None:
        self.session = session
        self.options = options
        self.ledger: Ledger = session.ledger()
        self.deployments = Deployments(self.ledger.store)
        project = project_of(session.flow_class, session.flow_name, options, session.user)
        self.dag_id = dag_id(project.flow_name if project else options.name or session.flow_name)

    def deployed(self) -> DeploymentRecord:
        """The record of the deployment.

        Raises:
            CommandException: The flow is not deployed under this name.
        """
        record = self.deployments.find(self.dag_id)
        if record is None:
            known = ", ".join(self.deployments.names()) or "none"
            raise CommandException(
                f"{self.dag_id} is not deployed from the store {self.session.store_url} (deployments: {known}).",
                fix="Deploy it with `airflow create`, or name another store with --datastore-root.",
                where={"dag": self.dag_id},
            )
        return record

    def find_run(self, rest: AirflowRest, run: str) -> str:
        """The DAG run id of a run id."""
        return find_dag_run(rest, self.ledger, self.session.flow_name, self.dag_id, run)


@click.command("create", help="Deploy the flow: write its DAG file and manifest, store its code.")
@click.argument("file", required=False)
@click.option("--authorize", help="Token of a deployment that somebody else made.")
@click.option("--generate-new-token", is_flag=True, help="Start a new namespace.")
@click.option("--new-token", help="Start a new namespace with this token.")
@click.option("--tag", "tags", multiple=True, help="Tag of every run; may be repeated.")
@click.option("--is-paused-upon-creation", "paused", is_flag=True, help="Let the DAG start out paused.")
@click.option("--namespace", help="Namespace of the client in tasks.")
@click.option("--max-workers", type=click.IntRange(1), default=100, show_default=True)
@click.option("--workflow-timeout", type=click.IntRange(1), help="Seconds that a run may take.")
@click.option("--worker-pool", help="Airflow pool of the steps.")
@click.option("--max-num-splits", type=click.IntRange(1), help="Widest foreach allowed.")
@click.option("--max-iterations", type=click.IntRange(1), default=get("max_iterations"), show_default=True)
@click.option("--max-map-width", type=click.IntRange(1), default=get("max_map_width"), show_default=True)
@click.option("--fuse", is_flag=True, help="Run chains of steps with equal needs as one Airflow task each.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more once a task has failed.")
@click.option("--compute", type=click.Choice(["worker", "kubernetes"]), help="Where steps run by default.")
@click.option(
    "--notify-on-error", metavar="CONN", help="Airflow connection of a web hook to tell of failed runs."
)
@click.option(
    "--notify-on-success",
    metavar="CONN",
    help="Airflow connection of a web hook to tell of runs that succeeded.",
)
@click.option("--dry-run", is_flag=True, help="Print the manifest; change nothing.")
@click.option(
    "--deployer-attribute-file",
    type=click.Path(dir_okay=False),
    help="Write DAG id, flow and store there, as JSON.",
)
@click.option(
    "--wait/--no-wait", default=None, help="Wait until Airflow has parsed it; on unless FILE is given."
)
@click.pass_obj
def create(airflow: AirflowSession, /, file: str | None, **values: Any) -> None:
    """Deploy the flow."""
    session = airflow.session
    session.check()
    options = CreateOptions(
        deployment=msgspec.structs.replace(
            airflow.options,
            compute=values["compute"],
            tags=checked_tags(values["tags"]),
            namespace=values["namespace"],
            paused=values["paused"],
            worker_pool=values["worker_pool"],
            notify_on_error=values["notify_on_error"],
            notify_on_success=values["notify_on_success"],
            fuse=values["fuse"],
            limits=Limits(
                max_workers=values["max_workers"],
                max_map_width=values["max_map_width"],
                max_num_splits=values["max_num_splits"],
                max_iterations=values["max_iterations"],
                workflow_timeout=values["workflow_timeout"],
                fail_fast=values["fail_fast"],
            ),
        ),
        target=file or f"{get('dags_folder')}/{airflow.dag_id}.py",
        suffixes=session.options.suffixes,
        authorize=values["authorize"],
        new_token=values["new_token"],
        generate_token=values["generate_new_token"],
        dry_run=values["dry_run"],
        note=session.note,
    )
    written_at = time.time()
    deployed = deploy(
        session.flow_class, session.manifest(), session.file, airflow.ledger, options, session.user
    )
    if values["dry_run"]:
        click.echo(encode(deployed.manifest).decode(), nl=False)
        return
    _tell(session, deployed)
    if values["wait"] if values["wait"] is not None else (file is None and bool(get("api_url"))):
        rest = AirflowRest.configured()
        name = options.target.rpartition("/")[2]
        wait_until_parsed(rest, deployed.manifest.dag_id, name, written_at, get("deploy_wait_s"))
        session.note(f"Airflow has parsed it: {rest.url}/dags/{deployed.manifest.dag_id}")
    if values["deployer_attribute_file"]:
        write_attributes(
            values["deployer_attribute_file"],
            name=deployed.manifest.dag_id,
            flow_name=deployed.manifest.flow_name,
            metadata=deployed.manifest.store,
        )


def _tell(session: Session, deployed: Deployed) -> None:
    manifest = deployed.manifest
    click.echo(f"Deployed {manifest.flow_name} as the DAG {manifest.dag_id}")
    for place in deployed.written:
        session.note(f"  written    {place}")
    session.note(f"  artifacts  {manifest.store}")
    session.note(f"  code       {manifest.code.digest[:12]}")
    if manifest.schedule is not None:
        session.note(f"  schedule   {manifest.schedule.cron} ({manifest.schedule.timezone})")
    session.note(f"  namespace  production:{manifest.production_token}")
    session.note(f"  start it   python {session.file.name} airflow trigger")


@click.pass_context
def _trigger(ctx: click.Context, /, **values: Any) -> int:
    airflow: AirflowSession = ctx.obj
    manifest = airflow.deployed().flow_manifest()
    session = airflow.session
    conf: dict[str, Any] = {}
    if values["conf_file"]:
        conf = msgspec.json.decode(Path(values["conf_file"]).read_bytes(), type=dict[str, Any])
    conf |= given_parameters(session.flow_class, values, session.flow_name, already=conf)
    check_conf(manifest, conf)
    conf = keep_given_files(session.flow_class, manifest, conf, airflow.ledger)
    rest = AirflowRest.configured()
    _wait_for_fresh_dag(rest, airflow)
    if values["unpause"]:
        rest.set_paused(airflow.dag_id, False)
    dag_run_id = _named_run(airflow, values["run_id_file"])
    started = start_run(rest, airflow.dag_id, conf, dag_run_id)
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


@click.pass_context
def _resume(ctx: click.Context, /, **values: Any) -> int:
    airflow: AirflowSession = ctx.obj
    manifest = airflow.deployed().flow_manifest()
    changed = explicit_parameters(airflow.session.flow_class, values)
    changed = keep_given_files(airflow.session.flow_class, manifest, changed, airflow.ledger)
    options = ResumeOptions(values["origin_run_id"], values["step_to_rerun"], changed)
    plan = plan_deployed_resume(airflow.ledger, manifest, options)
    for line in resume_lines(plan.summary):
        airflow.session.note(line)
    if values["dry_run"]:
        return 0
    rest = AirflowRest.configured()
    _wait_for_fresh_dag(rest, airflow)
    dag_run_id = _named_run(airflow, values["run_id_file"])
    started = start_resumed(rest, airflow.ledger, manifest, plan, changed, dag_run_id)
    return _follow(rest, airflow, started, wait_for_end=values["wait"])


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
    wait(lambda: _status(rest, airflow, started.dag_run_id).ended, _A_YEAR)
    status = _status(rest, airflow, started.dag_run_id)
    _show_status(status)
    return 0 if status.state == "success" else 1


def _wait_for_fresh_dag(rest: AirflowRest, airflow: AirflowSession) -> None:
    dag = rest.dag(airflow.dag_id)
    if dag is None:
        record = airflow.deployed()
        name = record.target.rpartition("/")[2]
        wait_until_parsed(rest, airflow.dag_id, name, 0.0, get("deploy_wait_s"))


@click.command("status", help="How a run stands.")
@click.argument("run_id")
@click.option("--as-json", is_flag=True)
@click.option("--exit-code", is_flag=True, help="0 succeeded, 1 failed, 3 not ended.")
@click.pass_obj
def status(airflow: AirflowSession, run_id: str, as_json: bool, exit_code: bool) -> int:
    """Print the status of a run."""
    rest = AirflowRest.configured()
    found = _status(rest, airflow, airflow.find_run(rest, run_id))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        _show_status(found)
    if not exit_code:
        return 0
    return (0 if found.state == "success" else 1) if found.ended else EXIT_NOT_ENDED


@click.command("list-runs", help="The runs of the deployment, newest first.")
@click.option("--running", "states", flag_value="running", multiple=True)
@click.option("--succeeded", "states", flag_value="success", multiple=True)
@click.option("--failed", "states", flag_value="failed", multiple=True)
@click.option("--queued", "states", flag_value="queued", multiple=True)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--as-json", is_flag=True)
@click.pass_obj
def list_runs(airflow: AirflowSession, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Print runs."""
    rows: list[dict[str, Any]] = []
    for run in AirflowRest.configured().dag_runs(airflow.dag_id):
        if states and run["state"] not in states:
            continue
        rows.append(
            {
                "run_id": airflow_run_id(airflow.dag_id, run["dag_run_id"]),
                "status": run["state"],
                "start": run["start_date"],
                "duration": run.get("duration"),
                "trigger": run["run_type"],
            }
        )
        if len(rows) == limit:
            break
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        took = "" if row["duration"] is None else f"{row['duration']:.1f} s"
        click.echo(
            f"{row['run_id']}  {row['status']:8}  {row['start'] or '':27.19}  {took:>9}  {row['trigger']}"
        )


@click.command("terminate", help="End a run: its tasks are stopped, it counts as failed.")
@click.argument("run_id")
@click.option("--authorize", help="Token of a deployment that somebody else made.")
@click.pass_obj
def terminate(airflow: AirflowSession, run_id: str, authorize: str | None) -> None:
    """End a run."""
    from airflow_mlflow_provider.store.records import RunEnd

    check_token(airflow.deployed(), airflow.session.user, authorize)
    rest = AirflowRest.configured()
    dag_run_id = airflow.find_run(rest, run_id)
    rest.set_run_state(airflow.dag_id, dag_run_id, "failed")
    run = airflow_run_id(airflow.dag_id, dag_run_id)
    end = RunEnd("terminated", time.time(), f"ended by {airflow.session.user}")
    # A run whose first task has not started has no record to seal.
    with suppress(MetaflowNotFound):
        airflow.ledger.end_run(airflow.session.flow_name, run, end)
    click.echo(f"Terminated {airflow.session.flow_name}/{run}")


@click.command("delete", help="Remove the DAG file, the manifest and the DAG; runs stay in the store.")
@click.option("--authorize", help="Token of a deployment that somebody else made.")
@click.pass_obj
def delete(airflow: AirflowSession, authorize: str | None) -> None:
    """Remove the deployment."""
    record = airflow.deployed()
    check_token(record, airflow.session.user, authorize)
    for place in deployment_files(record.target).delete():
        click.echo(f"Deleted {place}")
    if get("api_url") and AirflowRest.configured().delete_dag(airflow.dag_id):
        click.echo(f"Deleted the DAG {airflow.dag_id}")
    airflow.deployments.delete(airflow.dag_id)


@click.command("pause", help="Start no further scheduled runs.")
@click.pass_obj
def pause(airflow: AirflowSession) -> None:
    """Pause the DAG."""
    AirflowRest.configured().set_paused(airflow.deployed().dag_id, True)
    click.echo(f"Paused {airflow.dag_id}")


@click.command("unpause", help="Start scheduled runs again.")
@click.pass_obj
def unpause(airflow: AirflowSession) -> None:
    """Unpause the DAG."""
    AirflowRest.configured().set_paused(airflow.deployed().dag_id, False)
    click.echo(f"Unpaused {airflow.dag_id}")


def _status(rest: AirflowRest, airflow: AirflowSession, dag_run_id: str) -> RunStatus:
    return run_status(rest, airflow.ledger, airflow.session.flow_name, airflow.dag_id, dag_run_id)


def _show_status(status: RunStatus) -> None:
    click.echo(f"{status.run}: {status.state}")
    for step, states in status.steps.items():
        click.echo(f"  {step}: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    for pathspec, error in status.failed.items():
        click.echo(f"  {pathspec}: {error}")
    click.echo(f"  {status.url}")
