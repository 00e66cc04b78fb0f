"""The tree of commands of a flow."""

from __future__ import annotations

import importlib
from typing import Any

import click
import msgspec

from airflow_mlflow_provider.cli.not_offered import (
    COMMANDS,
    ENVIRONMENTS,
    METADATA,
    SIDECARS,
    Offered,
    refuse_command,
)
from airflow_mlflow_provider.cli.session import Session, TopLevel, split_list
from airflow_mlflow_provider.configuration import get, use_profile
from airflow_mlflow_provider.flow.spec import FlowSpec

# A command's module is imported when the command is used or its help is shown.
_COMMANDS = {
    "check": "inspect_commands",
    "show": "inspect_commands",
    "output-raw": "inspect_commands",
    "output-dot": "inspect_commands",
    "version": "inspect_commands",
    "run": "run_command",
    "resume": "run_command",
    "spin": "spin_command",
    "dump": "dump_command",
    "tag": "tag_commands",
    "package": "package_commands",
    "help": "inspect_commands",
    "logs": "logs_commands",
    "card": "card_commands",
    "cache": "cache_commands",
    "replay": "replay_command",
    "airflow": "airflow.group",
}

_WITH_PARAMETERS = ("run", "resume", "airflow")
_WITH_DECORATORS = ("run", "resume")


class FlowGroup(click.Group):
    """A group whose commands are made for one flow, lazily."""

    def __init__(self, flow_class: type[FlowSpec], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.flow_class = flow_class

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        home = _COMMANDS.get(cmd_name)
        if home is None:
            return None
        if isinstance(ctx.obj, Session) and cmd_name in _WITH_PARAMETERS:
            # Their options are the flow's parameters, which configs and mutators may change.
            ctx.obj.prepare()
        module = importlib.import_module(f"airflow_mlflow_provider.cli.{home}")
        command: click.Command = module.make(cmd_name, self.flow_class)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its arguments; ``--with`` counts for the flow, also after the command."""
        refuse_command(args[0] if args else "", COMMANDS, ctx)
        if args and args[0] in _WITH_DECORATORS and isinstance(ctx.obj, Session):
            decospecs, rest = _decospecs(args[1:])
            options = ctx.obj.options
            if decospecs:
                added = msgspec.structs.replace(options, decospecs=(*options.decospecs, *decospecs))
                ctx.obj = Session(self.flow_class, added)
            if args[0] == "resume":
                from airflow_mlflow_provider.cli.origin import origin_configs

                ctx.obj.kept_configs = origin_configs(ctx.obj, rest)
            args = [args[0], *rest]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Make the session that the commands share, then run the command."""
        ctx.obj = Session(self.flow_class, _top_level(ctx.params))
        return super().invoke(ctx)


def _decospecs(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The values of ``--with`` among the arguments of a command, and the other arguments."""
    found: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--with":
            value = next(rest, None)
            if value is None:
                raise click.UsageError("Option '--with' requires an argument.")
            found.append(value)
        elif argument.startswith("--with="):
            found.append(argument.removeprefix("--with="))
        else:
            others.append(argument)
    return found, others


def flow_command(flow_class: type[FlowSpec]) -> click.Group:
    """The command line of a flow."""
    return FlowGroup(
        flow_class,
        name=flow_class.__name__,
        help=(flow_class.__doc__ or f"The flow {flow_class.__name__}.").strip(),
        params=top_level_options(),
        no_args_is_help=False,
        invoke_without_command=True,
        callback=_without_command,
        context_settings={"help_option_names": ["--help", "-h"]},
    )


@click.pass_context
def _without_command(ctx: click.Context, /, **_: Any) -> None:
    if ctx.invoked_subcommand is None:
        from airflow_mlflow_provider.cli.inspect_commands import check

        ctx.exit(ctx.invoke(check) or 0)


def _use_profile(ctx: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    if name and not ctx.resilient_parsing:
        use_profile(name)
    return name


def top_level_options() -> list[click.Parameter]:
    """The options before the command."""
    option = click.Option
    return [
        # Before the others, whose defaults may come from it.
        option(
            ["--profile"],
            is_eager=True,
            callback=_use_profile,
            help="Name of a profile of the configuration.",
        ),
        option(
            ["--quiet/--not-quiet"], default=lambda: get("quiet"), help="Print neither headers nor progress."
        ),
        option(["--with", "decospecs"], multiple=True, help="Add a decorator to every step that lacks it."),
        option(
            ["--pylint/--no-pylint"],
            default=lambda: get("pylint"),
            help="Run Pylint's error checks, if it is installed.",
        ),
        option(
            ["--environment"],
            type=Offered(["local", "pypi", "uv"], ENVIRONMENTS),
            default=lambda: get("default_environment"),
            help="What steps may import.",
        ),
        option(
            ["--datastore"], type=click.Choice(["local", "s3", "gs", "azure"]), help="Kind of artifact store."
        ),
        option(["--datastore-root"], help="Path or URL of the artifact store."),
        option(
            ["--package-suffixes"],
            default=lambda: ",".join(get("default_package_suffixes")),
            help="Endings of the files that belong to the flow's code.",
        ),
        option(["--config"], multiple=True, nargs=2, help="NAME FILE: read a config from a file."),
        option(["--config-value"], multiple=True, nargs=2, help="NAME JSON: give a config a value."),
        option(["--branch"], default=lambda: get("branch"), help="Branch of @project."),
        option(
            ["--production"],
            is_flag=True,
            default=lambda: get("production"),
            help="The production branch of @project.",
        ),
        option(
            ["--trigger", "triggers"],
            multiple=True,
            help="FLOW/RUN: run as if @trigger_on_finish had seen it end.",
        ),
        option(
            ["--trigger-event", "trigger_events"],
            multiple=True,
            help="NAME or NAME:JSON: run as if @trigger had seen this event.",
        ),
        option(["--debug"], is_flag=True, help="Show tracebacks of this package too."),
        option(
            ["--strict"],
            is_flag=True,
            default=lambda: get("strict"),
            help="Treat the linter's warnings as errors.",
        ),
        option(["--mode"], type=click.Choice(["spin"]), hidden=True),
        option(["--metadata"], type=Offered(["local"], otherwise=METADATA), hidden=True),
        option(["--event-logger"], type=Offered(["nullSidecarLogger"], otherwise=SIDECARS), hidden=True),
        option(["--monitor"], type=Offered(["nullSidecarMonitor"], otherwise=SIDECARS), hidden=True),
    ]


def _top_level(params: dict[str, Any]) -> TopLevel:
    return TopLevel(
        quiet=params["quiet"],
        decospecs=tuple(params["decospecs"]),
        datastore=params["datastore"],
        datastore_root=params["datastore_root"],
        suffixes=split_list(params["package_suffixes"]),
        environment=params["environment"],
        strict=params["strict"],
        config_files=tuple(params["config"]),
        config_values=tuple(params["config_value"]),
        pylint=params["pylint"],
        branch=params["branch"],
        production=params["production"],
        triggers=tuple(params["triggers"]),
        trigger_events=tuple(params["trigger_events"]),
    )
