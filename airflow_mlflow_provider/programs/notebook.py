"""The source of a flow that is defined in a notebook cell, as a file that a process can run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from airflow_mlflow_provider.exception import MetaflowException


class NBRunnerInitializationError(MetaflowException):
    """``NBRunner`` was not made in a notebook cell that defines its flow."""

    headline = "NBRunner cannot be made here"


class NBDeployerInitializationError(MetaflowException):
    """``NBDeployer`` was not made in a notebook cell that defines its flow."""

    headline = "NBDeployer cannot be made here"


def cell_source() -> str | None:
    """The source of the cell that runs; ``None`` outside a notebook."""
    try:
        from IPython import get_ipython  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    shell = get_ipython()
    if shell is None:
        return None
    cells = shell.user_ns.get("In") or [""]
    return str(cells[-1])


def write_flow(flow: Any, error: type[MetaflowException], base_dir: str | None) -> Path:
    """Write the cell that runs to a file of its own.

    Args:
        flow: The flow's class, defined in this cell.
        error: What is raised where there is no such cell.
        base_dir: Where to write the file; a temporary folder by default.

    Raises:
        MetaflowException: This is no notebook, or the flow was defined in another cell.
    """
    name, caller = getattr(flow, "__name__", str(flow)), error.__name__.removesuffix("InitializationError")
    source = cell_source()
    if source is None:
        raise error(
            f"{caller}({name}) works in a notebook only.",
            fix=f"Use {caller.removeprefix('NB')} with the path of the flow's file.",
            where={"flow": name},
        )
    if f"class {name}(" not in source:
        raise error(
            f"The flow {name} is not defined in the cell that calls {caller}.",
            fix=f"Define the class {name} and call {caller}({name}) in one cell.",
            where={"flow": name},
        )
    folder = (
        Path(base_dir) if base_dir is not None else Path(tempfile.mkdtemp(prefix="airflow-mlflow-provider-"))
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.lower()}_notebook_flow.py"
    own_part = source[: _call_position(source, caller)]
    path.write_text(f'{own_part}\n\nif __name__ == "__main__":\n    {name}()\n', "utf-8")
    return path


def _call_position(source: str, caller: str) -> int:
    """Where the first statement at the left margin that names the caller, and is no import, begins."""
    position = 0
    for line in source.splitlines(keepends=True):
        if caller in line and line[:1].strip() and not line.startswith(("import ", "from ", "#")):
            return position
        position += len(line)
    return position
