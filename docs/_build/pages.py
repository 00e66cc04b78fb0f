"""Pages that are made of the code they describe, and what the sources of pages hold for the tests only."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from airflow_mlflow_provider.cli.commands import flow_command
from airflow_mlflow_provider.cli.console import console
from airflow_mlflow_provider.configuration import KEYS, SECTION
from airflow_mlflow_provider.configuration.key import Key

ROOT = Path(__file__).parents[2]
# What a fence says to tests/docs, such as ```python not-run="why"; the renderer does not know it.
_FOR_TESTS = re.compile(r'^(\s*```\w+.*?) (?:not-run="[^"]*"|exit=\d+)', re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the command line and of the configuration."""
    for address, text in {"reference/cli.md": command_line(), "reference/configuration.md": keys()}.items():
        files.append(File.generated(config, address, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Drop what is said to the tests."""
    return _FOR_TESTS.sub(r"\1", markdown)


def keys() -> str:
    """The page of all configuration keys, one section each."""
    head = (
        "# Configuration keys\n\n"
        f"Keys of the section `[{SECTION}]`. From strongest to weakest: an option of the command line, the environment variable\n"
        f"`AIRFLOW__{SECTION.upper()}__<KEY>` (also `…_CMD` and `…_SECRET`, as for every key of Airflow), the file of the active profile,\n"
        "`$AIRFLOW_HOME/airflow.cfg`, the default. `airflow-flow config show` prints each key with its value and where it comes from.\n"
    )
    return head + "".join(_key(key) for key in KEYS.values())


def _key(key: Key) -> str:
    facts = [
        f"**{key.allowed}**",
        f"default `{key.default_text}`" if key.default_text else "no default",
        *([f"for example `{key.example}`"] if key.example else []),
        *(["sensitive"] if key.sensitive else []),
        *([f"else `[{key.fallback[0]}] {key.fallback[1]}`"] if key.fallback else []),
    ]
    return f"\n## {key.name}\n\n{key.description}\n\n{'; '.join(facts)}.\n"


def command_line() -> str:
    """The page of all commands of a flow's file and of ``airflow-flow``."""
    sys.path.insert(0, str(ROOT))
    from dags_examples.hello_flow import HelloFlow

    head = (
        "# Command line\n\nEach flow's file is a program with the commands below; `run`, `resume`, `spin` and `airflow trigger` have an option\n"
        "for each parameter of the flow as well (here `--count` of `HelloFlow`). `airflow-flow` does what is not about one flow's file.\n\n"
        "| exit code | meaning |\n|---|---|\n| 0 | success |\n"
        "| 1 | the run failed, the flow has errors, or a command could not be done |\n"
        "| 2 | usage error: an unknown option, a missing parameter, a bad config |\n"
        "| 130, 143 | interrupted, terminated; what ran was stopped and sealed, `resume` works |\n"
    )
    commands = [("python flow.py", flow_command(HelloFlow)), ("airflow-flow", console)]
    return head + "".join(
        text for name, command in commands for text in _command(command, click.Context(command, info_name=name), 2)
    )


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n{'#' * level} {context.command_path}\n\n"
    yield f"{command.help or ''}\n\n"
    yield f"```text\n{context.command_path} {usage}\n```\n"
    records = [
        record
        for parameter in command.get_params(context)
        if parameter.name != "help" and (record := parameter.get_help_record(context))
    ]
    if records:
        yield "\n| option | meaning |\n|---|---|\n"
        yield "".join(f"| `{_cell(names)}` | {_cell(meaning)} |\n" for names, meaning in records)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _command(child, click.Context(child, info_name=name, parent=context), min(level + 1, 4))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
