"""Commands that read the flow and run nothing: ``check``, ``show``, ``output-raw``, ``output-dot``, ``version``."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.flow.preparation import flow_decorators
from airflow_mlflow_provider.flow.spec import FlowSpec


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """One of the inspecting commands."""
    return _COMMANDS[name]


@click.command("check", help="Check the flow for errors, without running it.")
@click.option("--warnings/--no-warnings", default=False, help="Show warnings as well.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text")
@click.pass_obj
def check(session: Session, warnings: bool = False, form: str = "text") -> int:
    """Print the linter's findings; exit code 1 if any is an error."""
    from airflow_mlflow_provider.flow.lint import lint

    session.prepare()
    issues = lint(session.flow_class, strict=session.options.strict) + session.pylint_issues()
    errors = [issue for issue in issues if issue.severity == "E"]
    shown = issues if warnings else errors
    if form == "json":
        click.echo(msgspec.json.encode([vars(issue) for issue in shown]).decode())
    for issue in shown if form == "github" else ():
        level = "error" if issue.severity == "E" else "warning"
        place = f"file={issue.file},line={issue.line},col={issue.col},title={issue.rule}"
        click.echo(f"::{level} {place}::{issue.message} {issue.fix}")
    for issue in shown if form == "text" else ():
        click.echo(str(issue), err=True)
    if form == "text":
        count = len(issues) - len(errors)
        session.note(f"{session.flow_name}: {len(errors)} error(s), {count} warning(s)")
    return 1 if errors else 0


@click.command("show", help="Show the flow's steps and how they follow each other.")
@click.pass_obj
def show(session: Session) -> None:
    """Print the graph with docstrings and decorators."""
    graph = session.graph
    click.echo(click.style(f"{graph.name}", bold=True) + (f"\n{graph.doc}" if graph.doc else ""))
    for decorator in flow_decorators(session.flow_class):
        written = (
            f"{name}={_written(value)}"
            for name, value in decorator.attributes.items()
            if name not in decorator.fields or value != decorator.fields[name].default
        )
        click.echo(f"@{decorator.name}({', '.join(written)})")
    for name in graph.topological():
        _show_step(graph, graph[name])


@click.command("output-raw", help="Print the graph in its internal form.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def output_raw(session: Session, as_json: bool) -> None:
    """Print the graph as data."""
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(session.graph), indent=2).decode())
    else:
        for node in session.graph:
            click.echo(repr(node))


@click.command("output-dot", help="Print the graph for Graphviz.")
@click.pass_obj
def output_dot(session: Session) -> None:
    """Print the graph in DOT."""
    graph = session.graph
    lines = [f'digraph "{graph.name}" {{', "  rankdir=TB;", "  node [shape=box, style=rounded];"]
    for node in graph:
        lines += [f'  "{node.name}" -> "{target}"{_dot_label(node, target)};' for target in node.out_funcs]
    click.echo("\n".join([*lines, "}"]))


@click.command("version", help="Print the version of this package.")
def version() -> None:
    """Print the version."""
    from airflow_mlflow_provider.version import __version__

    click.echo(__version__)


@click.command("help", help="Show this help, or that of COMMAND.")
@click.argument("command", required=False)
@click.pass_context
def show_help(ctx: click.Context, command: str | None) -> None:
    """Print help."""
    parent = ctx.parent
    if parent is None or not isinstance(parent.command, click.Group):
        raise click.UsageError("help is a command of a flow.")
    if command is None:
        click.echo(parent.get_help())
        return
    found = parent.command.get_command(parent, command)
    if found is None:
        raise click.UsageError(f"No such command '{command}'.", parent)
    click.echo(found.get_help(click.Context(found, info_name=command, parent=parent)))


def _show_step(graph: FlowGraph, node: StepNode) -> None:
    depth = "  " * (len(node.splits) + 1)
    marks = " ".join(_decorator_text(spec) for spec in node.decorators)
    click.echo(
        f"\n{depth}{click.style(node.name, bold=True)} ({graph.node_type(node.name)})  {marks}".rstrip()
    )
    for line in node.doc.splitlines():
        click.echo(f"{depth}  {line}")
    if node.transition is not None:
        click.echo(f"{depth}  → {_transition_text(node)}")


def _transition_text(node: StepNode) -> str:
    taken = node.transition
    if taken is None:
        return ""
    if taken.kind == "switch":
        cases = ", ".join(f"{key!r}: {target}" for key, target in taken.cases)
        return f"by {taken.condition}: {cases}"
    detail = {
        "foreach": f" for each of {taken.foreach}",
        "parallel": f" x {taken.num_parallel} in parallel",
    }.get(taken.kind, "")
    return ", ".join(taken.targets) + detail


def _decorator_text(spec: Any) -> str:
    return f"@{spec.name}" if spec.statically_defined else f"@{spec.name} (added)"


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_written, value))}]"
    return str(value.__name__) if callable(value) else repr(value)


def _dot_label(node: StepNode, target: str) -> str:
    taken = node.transition
    if taken is not None and taken.kind == "foreach":
        return f' [label="foreach {taken.foreach}"]'
    if taken is not None and taken.kind == "switch":
        keys = " or ".join(str(key) for key, to in taken.cases if to == target)
        return f' [label="{taken.condition} = {keys}", style=dashed]'.replace("\\", "\\\\")
    return ""


_COMMANDS: dict[str, click.Command] = {
    "check": check,
    "show": show,
    "output-raw": output_raw,
    "output-dot": output_dot,
    "version": version,
    "help": show_help,
}
