"""``airflow status``, ``list-runs`` and ``terminate``: the runs of the deployed flow."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cli.airflow.session import AirflowSession
from airflow_mlflow_provider.deploy.ending import terminate_run
from airflow_mlflow_provider.deploy.record import check_token
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.runs import (
    RunStatus,
)
from airflow_mlflow_provider.plan.identity import airflow_run_id

EXIT_NOT_ENDED = 3


@click.command("status", help="How a run stands.")
@click.argument("run_id")
@click.option("--as-json", is_flag=True)
@click.option("--exit-code", is_flag=True, help="0 succeeded, 1 failed, 3 not ended.")
@click.pass_obj
def status(airflow: AirflowSession, run_id: str, as_json: bool, exit_code: bool) -> int:
    """Print the status of a run."""
    rest = AirflowRest.configured()
    found = airflow.status(rest, airflow.find_run(rest, run_id))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        show_status(found)
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
    check_token(airflow.deployed(), airflow.session.user, authorize)
    rest = AirflowRest.configured()
    dag_run_id = airflow.find_run(rest, run_id)
    run = terminate_run(
        rest, airflow.ledger, airflow.session.flow_name, airflow.dag_id, dag_run_id, airflow.session.user
    )
    click.echo(f"Terminated {airflow.session.flow_name}/{run}")


def show_status(status: RunStatus) -> None:
    """Print how a run stands, for people."""
    click.echo(f"{status.run}: {status.state}")
    for step, states in status.steps.items():
        click.echo(f"  {step}: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    for pathspec, error in status.failed.items():
        click.echo(f"  {pathspec}: {error}")
    click.echo(f"  {status.url}")
