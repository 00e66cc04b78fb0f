"""``cache``: which results were reused and why others were not; forgetting them."""

from __future__ import annotations

import click
import msgspec

from airflow_mlflow_provider.cli.paths import tasks_at
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.decorators.caching import seconds
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.runtime.step_cache import CACHE_METADATA, clear_cache


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``cache`` group."""
    return cache


@click.group("cache", help="Results that steps with @cache reuse.")
def cache() -> None:
    """The group of cache commands."""


@cache.command("explain", help="Say of each task at RUN/STEP[/TASK] whether its result was reused, and why.")
@click.argument("input_path")
@click.option("--as-json", is_flag=True, help="As JSON, on standard output.")
@click.pass_obj
def explain(session: Session, input_path: str, as_json: bool) -> None:
    """Print a line a task, from what its record says."""
    told: list[dict[str, str]] = []
    for record in tasks_at(session.ledger(), session.flow_name, input_path):
        found = record.metadata.get(CACHE_METADATA)
        if found is None:
            continue
        verdict, _, why = found.partition(" ")
        reason = f"the result of {why}" if verdict == "hit" else why
        told.append({"task": f"{record.key.step}/{record.key.task}", "verdict": verdict, "reason": reason})
    if as_json:
        click.echo(msgspec.json.encode(told).decode())
        return
    for one in told:
        click.echo(f"{one['task']}  {one['verdict']:4}  {one['reason']}")
    if not told:
        raise CommandException(
            f"No task at {input_path} looked into the cache.",
            fix="Only steps with @cache do, on their first attempt and without --no-cache.",
            where={"flow": session.flow_name},
        )


@cache.command("clear", help="Forget the results of STEP, or of all steps; artifacts stay with their runs.")
@click.argument("step", required=False)
@click.option(
    "--older-than", help="Only results kept longer ago than this: seconds, or a text such as 12h or 7d."
)
@click.pass_obj
def clear(session: Session, step: str | None, older_than: str | None) -> None:
    """Delete entries of the cache."""
    if step is not None and step not in session.graph:
        raise CommandException(
            f"{session.flow_name} has no step '{step}'.",
            fix=f"Name one of {', '.join(session.graph.steps)}, or none for all.",
            where={"flow": session.flow_name, "step": step},
        )
    try:
        age = seconds(older_than)
    except ValueError:
        raise click.BadParameter(
            f"'{older_than}' is no duration; write seconds, or a text such as 12h or 7d.",
            param_hint="--older-than",
        ) from None
    count = clear_cache(session.ledger(), session.flow_name, step, age)
    click.echo(f"{count} result{'s' * (count != 1)} forgotten")
