"""``airflow``: deploy the flow into an Airflow, start it there, see how it stands."""

from __future__ import annotations

import click

from airflow_mlflow_provider.cli.airflow.create_command import create
from airflow_mlflow_provider.cli.airflow.deployment_commands import delete, list_deployments, pause, unpause
from airflow_mlflow_provider.cli.airflow.run_commands import list_runs, status, terminate
from airflow_mlflow_provider.cli.airflow.session import AirflowSession
from airflow_mlflow_provider.cli.airflow.starting_commands import resume, trigger
from airflow_mlflow_provider.cli.not_offered import AIRFLOW_COMMANDS, refuse_command
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.deploy.assemble import DeploymentOptions
from airflow_mlflow_provider.flow.spec import FlowSpec


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``airflow`` group of a flow; its parameters are options of ``trigger``."""
    group = _AirflowGroup(
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
    for make_command in (trigger, resume, list_deployments):
        group.add_command(make_command(flow_class))
    return group


class _AirflowGroup(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        refuse_command(args[0] if args else "", AIRFLOW_COMMANDS, ctx)
        return super().resolve_command(ctx, args)


def _enter(ctx: click.Context, deployment_name: str | None, branch: str | None, production: bool) -> None:
    session: Session = ctx.obj
    options = DeploymentOptions(
        name=deployment_name,
        branch=branch or session.options.branch,
        production=production or session.options.production,
    )
    ctx.obj = AirflowSession(session, options)
