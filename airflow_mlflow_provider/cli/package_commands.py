"""``package``: what would be sent as the flow's code."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from airflow_mlflow_provider.cli.output_file import OutputFile
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
@click.option("--as-json", is_flag=True, help="As JSON, on standard output.")
@click.pass_obj
def info(session: Session, as_json: bool) -> None:
    """Print a summary."""
    made = session.package()
    if as_json:
        summary = {
            "digest": made.digest,
            "script": made.script,
            "files": len(made.members),
            "size": made.size,
            "compressed": len(made.data),
            "suffixes": list(session.options.suffixes),
        }
        click.echo(msgspec.json.encode(summary).decode())
        return
    click.echo(f"digest      {made.digest}")
    click.echo(f"script      {made.script}")
    click.echo(f"files       {len(made.members)}, {made.size} bytes")
    click.echo(f"compressed  {len(made.data)} bytes")
    click.echo(f"suffixes    {', '.join(session.options.suffixes)}")


@package.command("list", help="The files of the package.")
@click.option(
    "--archive/--no-archive", default=False, help="Their names in the archive, instead of the paths here."
)
@click.option("--as-json", is_flag=True, help="As JSON, on standard output.")
@click.pass_obj
def list_files(session: Session, archive: bool, as_json: bool) -> None:
    """Print the files."""
    made = session.package()
    named = made.members if archive else made.sources
    click.echo(msgspec.json.encode(named).decode() if as_json else "\n".join(named))


@package.command("save", help="Write the package to PATH, as a .tar.zst archive.")
@click.argument("path", type=OutputFile())
@click.pass_obj
def save(session: Session, path: str) -> None:
    """Write the package."""
    made = session.package()
    Path(path).write_bytes(made.data)
    session.note(f"{len(made.members)} files written to {path}")
