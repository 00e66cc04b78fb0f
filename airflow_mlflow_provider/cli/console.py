"""``airflow-flow``: what is not about one flow's file. Exit codes are those of a flow's command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import msgspec

from airflow_mlflow_provider.cli.main import run_click
from airflow_mlflow_provider.cli.output_file import OutputFile

_PROGRAM = "airflow-flow"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the console script and end the process."""
    sys.exit(run_console(sys.argv[1:] if arguments is None else arguments))


def run_console(arguments: Sequence[str]) -> int:
    """Run a command of the console script.

    Returns:
        The exit code.
    """
    return run_click(lambda: console, arguments, _PROGRAM)


@click.group(name=_PROGRAM, context_settings={"help_option_names": ["--help", "-h"]})
@click.option("--datastore-root", help="Path or URL of the artifact store, instead of the one configured.")
@click.option("--profile", help="Name of a profile of the configuration.")
def console(datastore_root: str | None, profile: str | None) -> None:
    """Flows, their code and their configuration, without a flow's file at hand."""
    from airflow_mlflow_provider.client import metadata, namespace
    from airflow_mlflow_provider.configuration import use_profile

    if profile:
        use_profile(profile)
    if datastore_root:
        metadata(datastore_root)
    namespace(None)


@console.command("status")
@click.option("--as-json", is_flag=True)
def status(as_json: bool) -> None:
    """The store, and the flows in it with their latest runs."""
    from airflow_mlflow_provider.client import Metaflow, get_metadata

    flows = [
        {
            "flow": flow.id,
            "latest_run": run.id,
            "status": run.status,
            "created_at": run.created_at.isoformat(),
        }
        for flow in Metaflow()
        if (run := flow.latest_run) is not None
    ]
    if as_json:
        click.echo(msgspec.json.encode({"store": get_metadata(), "flows": flows}).decode())
        return
    click.echo(f"Store: {get_metadata()}")
    for row in flows:
        click.echo(f"  {row['flow']}  {row['latest_run']}  {row['status']}  {row['created_at'][:19]}")
    if not flows:
        click.echo("  no flows")


@console.command("gc")
@click.option(
    "--older-than", required=True, help="Keep runs that are younger: seconds, or a text such as 12h or 30d."
)
@click.option(
    "--keep-latest",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Newest runs kept of each flow.",
)
@click.option(
    "--keep-tag", "keep_tags", multiple=True, help="Keep runs with this user or system tag; may be repeated."
)
@click.option("--namespace", "only", help="Remove only runs with this tag, such as user:ann.")
@click.option(
    "--grace", default="2d", show_default=True, help="Time between condemning a run and deleting it."
)
@click.option("--dry-run", is_flag=True, help="Tell what would happen.")
@click.option("--as-json", is_flag=True)
def gc(
    older_than: str,
    keep_latest: int,
    keep_tags: tuple[str, ...],
    only: str | None,
    grace: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove runs that nothing keeps, and what only they referred to. A run is condemned first, and deleted by a later gc."""
    from airflow_mlflow_provider.client import get_metadata
    from airflow_mlflow_provider.client.garbage import collect_garbage
    from airflow_mlflow_provider.client.retention import Retention
    from airflow_mlflow_provider.store.ledger import Ledger
    from airflow_mlflow_provider.store.location import open_store

    retention = Retention(
        older_than=_duration("--older-than", older_than),
        keep_latest=keep_latest,
        keep_tags=frozenset(keep_tags),
        namespace=only,
        grace=_duration("--grace", grace),
    )
    url = get_metadata().partition("@")[2] or get_metadata()
    collected = collect_garbage(Ledger(open_store(url, cache=None)), retention, dry_run)
    if as_json:
        click.echo(msgspec.json.encode(collected).decode())
        return
    for word, runs in (("condemned", collected.condemned), ("deleted", collected.deleted)):
        for run in runs:
            click.echo(f"{word}  {run}")
    would = "would be " if dry_run else ""
    click.echo(
        f"{collected.kept} runs kept; {collected.objects} objects, {collected.size} bytes {would}deleted"
    )


def _duration(option: str, text: str) -> float:
    from airflow_mlflow_provider.flow.decorators.caching import seconds

    if text.strip() in ("0", "0s"):
        return 0.0
    try:
        return seconds(text) or 0.0
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is no duration; write seconds, or a text such as 12h or 30d.", param_hint=option
        ) from None


@console.command("version")
def version() -> None:
    """The version of this package."""
    from airflow_mlflow_provider import __version__

    click.echo(__version__)


@console.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """The script that makes SHELL complete this program, and `python FILE.py` of flows; source it in the shell's start file."""
    from airflow_mlflow_provider.cli.completion import completion_script

    click.echo(completion_script(shell, console, _PROGRAM))


@console.group("config")
def config() -> None:
    """The configuration of this package."""


@config.command("show")
@click.option("--as-json", is_flag=True)
def show_config(as_json: bool) -> None:
    """Each key with its value and where the value comes from; secrets are not shown."""
    from airflow_mlflow_provider.configuration import KEYS, get, source_of

    rows = []
    for name in sorted(KEYS):
        value = get(name)  # type: ignore[call-overload]
        secret = KEYS[name].sensitive and value
        rows.append({"key": name, "value": "***" if secret else value, "source": source_of(name)})
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        click.echo(f"{row['key']} = {'' if row['value'] is None else row['value']}  ({row['source']})")


@console.group("code")
def code() -> None:
    """The code that runs were started with; RUN is FLOW/RUN."""


@code.command("diff")
@click.argument("run")
def diff(run: str) -> None:
    """How the files here differ from those of RUN."""
    from airflow_mlflow_provider.cli.run_code import difference, files_here, files_of_run

    code = files_of_run(run)
    click.echo(difference(code, files_here(code)), nl=False)


@code.command("diff-runs")
@click.argument("first")
@click.argument("second")
def diff_runs(first: str, second: str) -> None:
    """How the files of run SECOND differ from those of run FIRST."""
    from airflow_mlflow_provider.cli.run_code import difference, files_of_run

    click.echo(difference(files_of_run(first), files_of_run(second)), nl=False)


@code.command("pull")
@click.argument("run")
@click.option(
    "--dir", "folder", type=click.Path(file_okay=False), help="Where to; a new folder named after RUN."
)
def pull(run: str, folder: str | None) -> None:
    """Write the files of RUN to a folder, which must not exist or be empty."""
    from airflow_mlflow_provider.cli.run_code import files_of_run, write_files

    target = folder or run.replace("/", "_").lower()
    click.echo(f"{write_files(files_of_run(run), target)} files written to {target}")


@code.command("patch")
@click.argument("run")
@click.option(
    "--file_path", type=OutputFile(), default="patch.patch", show_default=True, help="The patch to write."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def patch(run: str, file_path: str, overwrite: bool) -> None:
    """Write a patch that makes the files here those of RUN; apply it with `git apply` or `patch -p1`."""
    from airflow_mlflow_provider.cli.run_code import difference, files_here, files_of_run, write_patch

    code = files_of_run(run)
    write_patch(difference(files_here(code), code), file_path, overwrite=overwrite)
    click.echo(f"Patch written to {file_path}")
