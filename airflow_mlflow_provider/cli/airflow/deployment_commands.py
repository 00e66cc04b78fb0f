"""``airflow delete``, ``pause``, ``unpause`` and ``list-deployments``: the deployment itself."""

from __future__ import annotations

import datetime
from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cli.airflow.session import AirflowSession
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.ending import delete_deployment
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.flow.spec import FlowSpec


@click.command("delete", help="Remove the DAG file, the manifest and the DAG; runs stay in the store.")
@click.option("--authorize", help="Token of a deployment that somebody else made.")
@click.option("--purge", is_flag=True, help="Remove the deployment's runs from the store as well.")
@click.pass_obj
def delete(airflow: AirflowSession, authorize: str | None, purge: bool) -> None:
    """Remove the deployment."""
    rest = AirflowRest.configured() if get("api_url") else None
    for removed in delete_deployment(
        airflow.deployed(), airflow.deployments, rest, airflow.session.user, authorize
    ):
        click.echo(f"Deleted {removed}")
    if purge:
        from airflow_mlflow_provider.deploy.purging import purge_runs

        purged = purge_runs(airflow.ledger, airflow.dag_id)
        click.echo(f"Deleted {len(purged.deleted)} runs: {purged.objects} objects, {purged.size} bytes")


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


def list_deployments(flow_class: type[FlowSpec]) -> click.Command:
    """The command of a flow."""

    def call(every_flow: bool, as_json: bool) -> None:
        deployments: Deployments = click.get_current_context().obj.deployments
        records = (deployments.find(name) for name in deployments.names())
        rows = [
            _row(record)
            for record in records
            if record is not None and (every_flow or record.flow == flow_class.__name__)
        ]
        if as_json:
            click.echo(msgspec.json.encode(rows).decode())
            return
        for row in rows:
            click.echo(
                f"{row['name']}  {row['flow']}  {row['deployer']}  {row['deployed_at'][:19]}  {row['file']}"
            )

    return click.Command(
        "list-deployments",
        callback=call,
        help="The deployments of this flow: DAG id, flow, deployer, time and DAG file.",
        params=[
            click.Option(["--all", "every_flow"], is_flag=True, help="Those of every flow of the store."),
            click.Option(["--as-json"], is_flag=True),
        ],
    )


def _row(record: DeploymentRecord) -> dict[str, Any]:
    moment = datetime.datetime.fromtimestamp(record.deployed_at, datetime.timezone.utc)
    return {
        "name": record.dag_id,
        "flow": record.flow,
        "deployer": record.deployer,
        "deployed_at": moment.isoformat(),
        "file": record.target,
    }
