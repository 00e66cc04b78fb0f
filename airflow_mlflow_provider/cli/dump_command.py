"""``dump``: the artifacts of tasks, printed or written to a file."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from airflow_mlflow_provider.cli.output_file import OutputFile
from airflow_mlflow_provider.cli.paths import tasks_at
from airflow_mlflow_provider.cli.session import Session, split_list
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.records import ArtifactEntry, DoneRecord


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``dump`` command."""
    return dump


@click.command("dump", help="Print the artifacts of RUN/STEP or RUN/STEP/TASK.")
@click.argument("input_path")
@click.option("--private/--no-private", default=False, help="Private artifacts as well.")
@click.option(
    "--max-value-size",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Longest value printed, in characters; 0 prints names only.",
)
@click.option("--include", help="Names to dump, separated by commas; all by default.")
@click.option("--file", "file", type=OutputFile(), help="Write a pickle of all values there.")
@click.pass_obj
def dump(
    session: Session,
    input_path: str,
    private: bool,
    max_value_size: int,
    include: str | None,
    file: str | None,
) -> None:
    """Print or write artifacts."""
    ledger = session.ledger()
    reader = ArtifactReader(ledger.store)
    wanted = set(split_list(include)) if include else None
    values: dict[str, dict[str, Any]] = {}
    for record in tasks_at(ledger, session.flow_name, input_path):
        key = record.key
        pathspec = f"{key.run}/{key.step}/{key.task}"
        entries = dict(_chosen(record, private, wanted))
        if file:
            values[pathspec] = reader.load_many(entries)
            continue
        click.echo(click.style(pathspec, bold=True))
        for name, entry in entries.items():
            click.echo(_line(reader, name, entry, max_value_size))
    if file:
        Path(file).write_bytes(pickle.dumps(values))
        session.note(f"{sum(map(len, values.values()))} artifacts of {len(values)} task(s) written to {file}")


def _chosen(
    record: DoneRecord, private: bool, wanted: set[str] | None
) -> Iterator[tuple[str, ArtifactEntry]]:
    for name, entry in sorted(record.artifacts.items()):
        if name in wanted if wanted is not None else (private or not name.startswith("_")):
            yield name, entry


def _line(reader: ArtifactReader, name: str, entry: ArtifactEntry, longest: int) -> str:
    head = f"  {name} ({entry.type}, {entry.size} bytes)"
    if not longest:
        return head
    text = repr(reader.load(name, entry))
    return f"{head}: {text if len(text) <= longest else text[:longest] + '…'}"
