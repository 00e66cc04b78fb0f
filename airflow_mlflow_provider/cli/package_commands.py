"""``package``: what would be sent as the flow's code."""

from __future__ import annotations

from pathlib import Path

import click

from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.flow.spec import FlowSpec


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``package`` group."""
    return package


@click.group("package", help="What would be sent as the flow's code.")
@click.option(
    "--timeout", type=float, default=60, help="Accepted for Metaflow's sake; packaging waits for nothing."
)
def package(timeout: float) -> None:
    """The group of package commands."""


@package.command("info", help="Digest, size and number of files of the package.")
@click.pass_obj
def info(session: Session) -> None:
    """Print a summary."""
    made = session.package()
    click.echo(f"digest      {made.digest}")
    click.echo(f"script      {made.script}")
    click.echo(f"files       {len(made.members)}, {made.size} bytes")
    click.echo(f"compressed  {len(made.data)} bytes")
    click.echo(f"suffixes    {', '.join(session.options.suffixes)}")


@package.command("list", help="The files of the package.")
@click.option(
    "--archive/--no-archive", default=False, help="Their names in the archive, instead of the paths here."
)
@click.pass_obj
def list_files(session: Session, archive: bool) -> None:
    """Print the files."""
    from airflow_mlflow_provider.runtime.package import FLOW_FOLDER

    root = session.file.parent
    for member in session.package().members:
        own = member.removeprefix(f"{FLOW_FOLDER}/")
        click.echo(member if archive or own == member else str(root / own))


@package.command("save", help="Write the package to PATH, as a .tar.zst archive.")
@click.argument("path", type=click.Path(dir_okay=False))
@click.pass_obj
def save(session: Session, path: str) -> None:
    """Write the package."""
    made = session.package()
    Path(path).write_bytes(made.data)
    session.note(f"{len(made.members)} files written to {path}")
