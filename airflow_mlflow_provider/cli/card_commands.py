"""``card``: the cards of tasks, as files, in a browser, and live from a small server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cards.exception import CardNotPresentException, TaskNotFoundException
from airflow_mlflow_provider.cards.reading import Card, get_cards
from airflow_mlflow_provider.cli.output_file import OutputFile
from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.client import Flow, Run, Task, metadata, namespace
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP
from airflow_mlflow_provider.store.existing import what_exists

_MOST_TASKS = 200


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``card`` group."""
    return card


@click.group("card", help="Reports that steps made of themselves.")
def card() -> None:
    """The group of card commands."""


def _which_card(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--hash", "card_hash", help="The card whose hash begins so."),
        click.option("--type", "card_type", help="Cards of this type."),
        click.option("--id", "card_id", help="Cards with this id."),
        click.option(
            "--follow-resumed/--no-follow-resumed",
            default=True,
            help="For tasks that a resumed run took over: the cards of the tasks that really ran.",
        ),
    ):
        command = option(command)
    return command


@card.command(
    "get", help="Write the card of PATHSPEC (STEP, RUN/STEP or RUN/STEP/TASK) to FILE, or print it."
)
@click.argument("pathspec")
@click.argument("file", required=False, type=click.Path(dir_okay=False, writable=True, path_type=Path))
@_which_card
@click.pass_obj
def get(session: Session, /, pathspec: str, file: Path | None, **which: Any) -> None:
    """Write a card."""
    page = _one(session, pathspec, which).get()
    if file is None:
        click.echo(page)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, "utf-8")
    session.note(f"Wrote {file}.")


@card.command("view", help="Open the card of PATHSPEC in a browser.")
@click.argument("pathspec")
@_which_card
@click.pass_obj
def view(session: Session, /, pathspec: str, **which: Any) -> None:
    """Open a card."""
    file = _one(session, pathspec, which).view()
    session.note(f"The card is in {file}, if no browser has opened it.")


@card.command(
    "list", help="List the cards of PATHSPEC (STEP, RUN, RUN/STEP or RUN/STEP/TASK), or of the latest run."
)
@click.argument("pathspec", required=False)
@_which_card
@click.option("--as-json", is_flag=True, help="As JSON, on standard output.")
@click.option("--file", type=OutputFile(Path), help="Write JSON here.")
@click.pass_obj
def list_cards(
    session: Session, /, pathspec: str | None, as_json: bool, file: Path | None, **which: Any
) -> None:
    """List cards."""
    tasks = _tasks(session, pathspec)
    found = [(task, sorted(_chosen(task, which), key=lambda one: one.document.order)) for task in tasks]
    described = [
        {"pathspec": task.pathspec, "cards": [_described(one) for one in cards]}
        for task, cards in found
        if cards
    ]
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(described), indent=2))
    elif as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(described), indent=2).decode())
    else:
        for task, cards in found:
            for one in cards:
                named = f" id={one.id}" if one.id else ""
                click.echo(f"{task.pathspec}  {one.type}{named}  {one.hash}  {one.document.status}")
    if not described:
        asked = _asked(which)
        session.note(
            f"No card there fits {asked}." if asked else "There are no cards there. Write @card above a step."
        )


@card.command("create", help="Make a card of the finished task PATHSPEC and store it beside those it has.")
@click.argument("pathspec")
@click.option("--type", "card_type", default="default", show_default=True, help="Type of the card.")
@click.option("--options", default="{}", help="Options of its class, as JSON.")
@click.option("--timeout", type=float, help="Seconds that rendering may take.")
@click.option("--render-error-card", is_flag=True, help="Store an error card if rendering fails.")
@click.option("--id", "card_id", help="Its id.")
@click.pass_obj
def create(
    session: Session,
    pathspec: str,
    card_type: str,
    options: str,
    timeout: float | None,
    render_error_card: bool,
    card_id: str | None,
) -> None:
    """Make a card."""
    from airflow_mlflow_provider.cards.creating import create_card

    try:
        decoded = msgspec.json.decode(options, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CommandException(
            f"--options is no JSON object: {error}.", fix="""Write it as in --options '{"name": 1}'."""
        ) from None
    tasks = _tasks(session, pathspec)
    if len(tasks) != 1:
        raise CommandException(
            f"{pathspec} has {len(tasks)} tasks: {', '.join(task.id for task in tasks[:20])}.",
            fix="Name one, as RUN/STEP/TASK.",
            where={"path": pathspec},
        )
    session.prepare()
    made = create_card(
        tasks[0],
        card_type,
        decoded,
        id=card_id,
        timeout=timeout,
        save_error=render_error_card,
        flow=session.flow_class,
    )
    session.note(f"Stored a card of type {made.type} of {tasks[0].pathspec}, hash {made.hash}.")


@card.command("server", help="Show the cards of a run in a browser, live while it runs; no Airflow needed.")
@click.option("--run-id", help="The run; by default the latest, also when a new one starts.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8324, show_default=True, help="0 for any free one."
)
@click.option(
    "--namespace", "user_namespace", help="Namespace to look in; the user's by default, '' for all."
)
@click.option("--poll-interval", type=click.FloatRange(0.1), default=5, show_default=True, help="In seconds.")
@click.option(
    "--max-cards", type=click.IntRange(1), default=30, show_default=True, help="How many are listed."
)
@click.pass_obj
def server(
    session: Session,
    run_id: str | None,
    port: int,
    user_namespace: str | None,
    poll_interval: float,
    max_cards: int,
) -> None:
    """Serve cards until interrupted."""
    from airflow_mlflow_provider.cards.server import CardServer, Served

    metadata(session.store_url)
    if user_namespace is not None:
        namespace(user_namespace or None)
    if run_id is not None:
        Run(f"{session.flow_name}/{run_id}", _namespace_check=False)
    with CardServer(Served(session.flow_name, run_id, poll_interval, max_cards), port) as running:
        click.echo(f"Cards of {session.flow_name} at {running.url} (Ctrl-C ends it)")
        running.serve_forever()


def _one(session: Session, pathspec: str, which: dict[str, Any]) -> Card:
    tasks = _tasks(session, pathspec)
    cards = [(task, one) for task in tasks for one in _chosen(task, which)]
    if len(cards) == 1:
        return cards[0][1]
    listed = "\n".join(f"    {task.pathspec}  {one!r}" for task, one in cards[:20])
    if cards:
        raise CommandException(
            f"{len(cards)} cards fit {pathspec}:\n{listed}",
            fix="Choose one with --hash, --id or RUN/STEP/TASK.",
            where={"path": pathspec},
        )
    exist = [one for task in tasks for one in get_cards(task)]
    known = "; it has " + ", ".join(map(repr, exist[:20])) if exist else ", which has no cards"
    asked = _asked(which)
    raise CardNotPresentException(
        f"No card fits {pathspec}{f' with {asked}' if asked else ''}{known}.",
        fix="List the cards with `card list`, or write @card above the step.",
        where={"path": pathspec, **which},
    )


def _asked(which: dict[str, Any]) -> str:
    """The options that choose among cards, as they were given."""
    names = ("card_hash", "card_type", "card_id")
    return " ".join(
        f"--{name.removeprefix('card_')} {which[name]}" for name in names if which[name] is not None
    )


def _chosen(task: Task, which: dict[str, Any]) -> Sequence[Card]:
    found = get_cards(
        task, id=which["card_id"], type=which["card_type"], follow_resumed=which["follow_resumed"]
    )
    return [one for one in found if one.hash.startswith(which["card_hash"] or "")]


def _described(one: Card) -> dict[str, Any]:
    document = one.document
    return {
        "type": one.type,
        "id": one.id,
        "hash": one.hash,
        "rank": document.rank,
        "status": document.status,
        "attempt": document.attempt,
        "path": one.path,
        "origin_pathspec": one.origin_pathspec,
    }


def _tasks(session: Session, pathspec: str | None) -> list[Task]:
    """The tasks at ``STEP``, ``RUN/STEP`` or ``RUN/STEP/TASK``; all of ``RUN``, or of the latest run."""
    metadata(session.store_url)
    parts = [part for part in (pathspec or "").split("/") if part]
    if len(parts) > 1 and parts[0] == session.flow_name:
        parts = parts[1:]
    if len(parts) > 3:
        raise CommandException(
            f"'{pathspec}' is not of the form STEP, RUN/STEP or RUN/STEP/TASK.",
            fix="Give a step, such as train, or 20261123-120000-0a1b2/train.",
        )
    flow = Flow(session.flow_name, _namespace_check=False)
    try:
        of_latest = not parts or (len(parts) == 1 and parts[0] in session.graph.steps)
        run = flow.latest_run if of_latest else flow[parts[0]]
        if run is None:
            raise KeyError("latest run")
        names = parts[:1] if of_latest else parts[1:2]
        steps = [run[name] for name in names] if names else [s for s in run if s.id != PARAMETERS_STEP]
        chosen = [steps[0][parts[2]]] if len(parts) == 3 else [task for step in steps for task in step]
    except (KeyError, MetaflowNotFound):
        raise _nothing(session, parts) from None
    return chosen[:_MOST_TASKS]


def _nothing(session: Session, parts: list[str]) -> TaskNotFoundException:
    ledger, flow = session.ledger(), session.flow_name
    newest = ledger.latest(flow, 1)
    if newest and parts and parts[0] in session.graph.steps:
        parts = [newest[0], *parts]
    run, step = (*parts, "", "")[:2]
    return TaskNotFoundException(
        f"There is nothing at {'/'.join([flow, *parts])} ({what_exists(ledger, flow, run, step)}).",
        fix=f"Name a run, or a step ({', '.join(session.graph.steps)}) of one that has begun.",
        where={"flow": flow, "run": run, "step": step},
    )
