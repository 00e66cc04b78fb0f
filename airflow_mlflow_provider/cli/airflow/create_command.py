"""``airflow create``: deploy the flow."""

from __future__ import annotations

import time
from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cli.airflow.session import AirflowSession
from airflow_mlflow_provider.cli.attribute_file import write_attributes
from airflow_mlflow_provider.cli.output_file import OutputFile
from airflow_mlflow_provider.cli.session import Session, checked_tags
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.create import CreateOptions, Deployed, deploy
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.runs import wait_until_parsed
from airflow_mlflow_provider.plan.manifest import Limits, encode


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
@click.option(
    "--splits-per-task",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Splits of a foreach per Airflow task.",
)
@click.option("--fuse", is_flag=True, help="Run chains of steps with equal needs as one Airflow task each.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more once a task has failed.")
@click.option("--compute", type=click.Choice(["worker", "kubernetes"]), help="Where steps run by default.")
@click.option(
    "--code",
    type=click.Choice(["package", "bundle"]),
    default="package",
    show_default=True,
    help="Store the flow's code, or import it from the DAG bundle.",
)
@click.option(
    "--editable-config",
    "editable_configs",
    metavar="NAME",
    multiple=True,
    help="Let runs give this config another value; may be repeated.",
)
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
    type=OutputFile(),
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
            editable_configs=values["editable_configs"],
            limits=Limits(
                max_workers=values["max_workers"],
                max_map_width=values["max_map_width"],
                splits_per_task=values["splits_per_task"],
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
        code=values["code"],
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
    session.note(f"  code       {manifest.code.digest[:12] or manifest.code.path}")
    if manifest.schedule is not None:
        session.note(f"  schedule   {manifest.schedule.cron} ({manifest.schedule.timezone})")
    if manifest.triggers:
        session.note(f"  triggers   {' and '.join(trigger.asset for trigger in manifest.triggers)}")
    session.note(f"  compute    {manifest.compute}, {manifest.limits.max_workers} tasks of a run at once")
    session.note(f"  namespace  production:{manifest.production_token}")
    session.note(f"  start it   python {session.file.name} airflow trigger")
