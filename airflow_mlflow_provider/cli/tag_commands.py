"""``tag``: read and change the tags of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import click
import msgspec

from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.client import Flow, Run, metadata, namespace
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.spec import FlowSpec


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``tag`` group."""
    return tag


_run_option = click.option("--run-id", help="The run; the latest in the namespace by default.")
_namespace_option = click.option(
    "--namespace", "user_namespace", help="Namespace to look in; the user's by default, '' for all."
)


@click.group("tag", help="Read and change the tags of runs.")
def tag() -> None:
    """The group of tag commands."""


@tag.command("add", help="Add tags to a run.")
@click.argument("tags", nargs=-1, required=True)
@_run_option
@_namespace_option
@click.pass_obj
def add(session: Session, tags: tuple[str, ...], run_id: str | None, user_namespace: str | None) -> None:
    """Add tags."""
    run = _run(session, run_id, user_namespace)
    run.add_tags(tags)
    _tell(run)


@tag.command("remove", help="Remove tags from a run.")
@click.argument("tags", nargs=-1, required=True)
@_run_option
@_namespace_option
@click.pass_obj
def remove(session: Session, tags: tuple[str, ...], run_id: str | None, user_namespace: str | None) -> None:
    """Remove tags."""
    run = _run(session, run_id, user_namespace)
    run.remove_tags(tags)
    _tell(run)


@tag.command("replace", help="Remove tags from a run and add others, in one change.")
@click.option("--remove", "removed", multiple=True, required=True, help="Tag to remove; may be repeated.")
@click.option("--add", "added", multiple=True, required=True, help="Tag to add; may be repeated.")
@_run_option
@_namespace_option
@click.pass_obj
def replace(
    session: Session,
    removed: tuple[str, ...],
    added: tuple[str, ...],
    run_id: str | None,
    user_namespace: str | None,
) -> None:
    """Replace tags."""
    run = _run(session, run_id, user_namespace)
    run.replace_tags(removed, added)
    _tell(run)


@tag.command("list", help="List the tags of RUN_ID, of the latest run, or of many runs.")
@click.argument("argument_run_id", metavar="[RUN_ID]", required=False)
@click.option("--run-id", help="The run.")
@click.option("--all", "all_runs", is_flag=True, help="All runs of the flow.")
@click.option("--my-runs", is_flag=True, help="All runs of the user.")
@click.option("--hide-system-tags", is_flag=True, help="User tags only.")
@click.option("--group-by-tag", is_flag=True, help="The runs of each tag.")
@click.option("--group-by-run", is_flag=True, help="The tags of each run.")
@click.option("--flat", is_flag=True, help="One tag a line, nothing else.")
@click.option("--as-json", is_flag=True, help="As JSON, on standard output.")
@_namespace_option
@click.pass_obj
def list_tags(
    session: Session,
    /,
    argument_run_id: str | None,
    run_id: str | None,
    user_namespace: str | None,
    **flags: bool,
) -> None:
    """Print tags: to standard error after a line that says of what, as Metaflow does."""
    by_tag, by_run = flags["group_by_tag"], flags["group_by_run"]
    all_runs, my_runs = flags["all_runs"], flags["my_runs"]
    if sum((by_tag, by_run, flags["flat"])) > 1:
        raise click.UsageError("Give one of --group-by-tag, --group-by-run and --flat.")
    if sum(map(bool, (argument_run_id, run_id, all_runs, my_runs))) > 1:
        raise click.UsageError("Give one of RUN_ID, --run-id, --all and --my-runs.")
    if all_runs or my_runs:
        runs = list(_runs(session, f"user:{session.user}" if my_runs else None))
        what = f"{'your' if my_runs else 'all'} {len(runs)} runs of {session.flow_name}"
    else:
        runs = [_run(session, argument_run_id or run_id, user_namespace)]
        what = f"run {runs[0].id}"
    tags = {run.id: sorted(run.user_tags if flags["hide_system_tags"] else run.tags) for run in runs}
    if flags["as_json"]:
        click.echo(msgspec.json.encode(_by_tag(tags) if by_tag else tags).decode())
        return
    if not flags["flat"]:
        click.echo(f"Tags of {what}:", err=True)
    for line in _by_lines(tags, by_tag=by_tag, by_run=by_run):
        click.echo(line, err=True)


def _by_lines(tags: dict[str, list[str]], *, by_tag: bool, by_run: bool) -> Iterator[str]:
    if not (by_tag or by_run):
        yield from sorted({name for names in tags.values() for name in names})
        return
    for head, names in (_by_tag(tags) if by_tag else tags).items():
        yield head
        yield from (f"  {name}" for name in names)


def _by_tag(tags: dict[str, list[str]]) -> dict[str, list[str]]:
    runs: dict[str, list[str]] = defaultdict(list)
    for run, names in tags.items():
        for name in names:
            runs[name].append(run)
    return dict(sorted(runs.items()))


def _run(session: Session, run_id: str | None, user_namespace: str | None) -> Run:
    _look_at(session, user_namespace)
    if run_id is not None:
        parts = run_id.split("/")
        return Run(f"{session.flow_name}/{parts[-1]}")
    latest = _flow(session).latest_run
    if latest is None:
        raise _no_run(session)
    return latest


def _runs(session: Session, only: str | None) -> Iterable[Run]:
    _look_at(session, only or "")
    return _flow(session).runs()


def _flow(session: Session) -> Flow:
    try:
        return Flow(session.flow_name)
    except MetaflowNotFound:
        raise _no_run(session) from None


def _look_at(session: Session, user_namespace: str | None) -> None:
    metadata(session.store_url)
    if user_namespace is not None:
        namespace(user_namespace or None)


def _no_run(session: Session) -> CommandException:
    return CommandException(
        f"There is no run of {session.flow_name} in {session.store_url} to tag.",
        fix="Name a run with --run-id, or another store with --datastore-root.",
        where={"flow": session.flow_name},
    )


def _tell(run: Run) -> None:
    click.echo(f"Tags of run {run.id}:", err=True)
    for name in sorted(run.tags):
        click.echo(name, err=True)
