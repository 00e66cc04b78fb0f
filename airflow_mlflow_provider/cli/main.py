"""Where ``Flow()`` at the end of a file leads: parse the arguments, run the command, turn errors into exit codes.

====  =====================================================================
code  meaning
====  =====================================================================
0     success
1     the run failed, the flow has errors, or a command could not be done
2     usage error: an unknown option, a missing parameter, a bad config
130   interrupted (Ctrl-C)
143   terminated (SIGTERM)
====  =====================================================================
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import click

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowConfigError, MetaflowException
from airflow_mlflow_provider.flow.spec import FlowSpec

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
# The variable by which a shell asks a flow's file for completions (see `completion`).
FLOW_FILE_VARIABLE = "_FLOW_FILE_COMPLETE"


def main(flow_class: type[FlowSpec], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of a flow and end the process.

    Args:
        flow_class: The flow.
        arguments: Arguments without the program's name; those of the process by default.
    """
    sys.exit(run_command_line(flow_class, sys.argv[1:] if arguments is None else arguments))


def run_command_line(flow_class: type[FlowSpec], arguments: Sequence[str]) -> int:
    """Run the command line of a flow.

    Returns:
        The exit code.
    """
    from airflow_mlflow_provider.cli.commands import flow_command

    return run_click(
        lambda: flow_command(flow_class),
        arguments,
        _program(),
        debug=lambda: "--debug" in arguments or _debugging(),
        completed_by=FLOW_FILE_VARIABLE,
    )


def run_click(
    make: Callable[[], click.Command],
    arguments: Sequence[str],
    program: str,
    *,
    debug: Callable[[], bool] = lambda: False,
    completed_by: str | None = None,
) -> int:
    """Run a click command; errors of the user's are printed.

    Args:
        make: Makes the command.
        arguments: Its arguments.
        program: What help calls it.
        debug: Whether errors of ours are raised, for their traceback.
        completed_by: The variable of the environment by which a shell asks for completions; by default, click's.

    Returns:
        The exit code.
    """
    try:
        result = make().main(
            list(arguments), prog_name=program, complete_var=completed_by, standalone_mode=False
        )
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.Abort:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except MetaflowException as error:
        if debug():
            raise
        show_error(error)
        return EXIT_USAGE if isinstance(error, MetaflowConfigError) else EXIT_FAILED
    except BrokenPipeError:
        # Whoever read our output has gone, as in `… | head`; Python must not complain of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def show_error(error: MetaflowException) -> None:
    """Print an error of the user's: headline, message, place, remedy. No traceback."""
    place = f"\n    {error.source_file}:{error.lineno}" if error.source_file and error.lineno else ""
    fix = f"\n{click.style('Fix:', bold=True)} {error.fix}" if error.fix else ""
    headline = click.style(f"{error.headline}:", fg="red", bold=True)
    click.echo(f"{headline} {error}{place}{fix}", err=True)


def _debugging() -> bool:
    try:
        return get("debug")
    except MetaflowConfigError:
        return False


def _program() -> str:
    return f"python {os.path.relpath(sys.argv[0])}" if sys.argv[0].endswith(".py") else "flow"
