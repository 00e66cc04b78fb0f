"""The command line of one flow class of a file that may define several, or that does not call it.

``python -m airflow_mlflow_provider.programs.class_command FILE CLASS …`` is ``python FILE …`` for that class.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the command line of the class.

    Args:
        arguments: File, class, and the arguments of the command line.

    Returns:
        The exit code.
    """
    from airflow_mlflow_provider.cli.main import run_command_line
    from airflow_mlflow_provider.runtime.flow_code import load_flow_class

    file, class_name, *rest = arguments
    flow_class = load_flow_class(Path(file), class_name)
    return run_command_line(flow_class, rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
