"""What a flow's file offers, told by a process that loads it, so that a program never executes it itself.

``python -m airflow_mlflow_provider.programs.describing FILE JSON`` prints a :class:`FlowDescription`; ``JSON`` is a
:class:`Preparation`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

_SHOWN_LINES = 50


class Preparation(msgspec.Struct, frozen=True):
    """What may change a flow's parameters before it runs.

    Attributes:
        config_files: Paths of configs, by name.
        config_values: Values of configs, by name.
        decospecs: Decorators of ``--with``.
    """

    config_files: dict[str, str] = {}
    config_values: dict[str, Any] = {}
    decospecs: tuple[str, ...] = ()


class DescribedParameter(msgspec.Struct, frozen=True):
    """A parameter of a flow.

    Attributes:
        name: Its name.
        kind: ``str``, ``int``, ``float``, ``bool``, ``json``, ``list`` or ``file``.
        required: Whether a run must give a value.
        variable: The environment variable that may give it.
    """

    name: str
    kind: str
    required: bool
    variable: str


class FlowDescription(msgspec.Struct, frozen=True):
    """What a file defines.

    Attributes:
        flows: Names of the flow classes of the file.
        parameters: The parameters, if there is exactly one flow.
    """

    flows: tuple[str, ...]
    parameters: tuple[DescribedParameter, ...] = ()


def describe(
    file: Path, environment: Mapping[str, str], folder: str | None, preparation: Preparation
) -> FlowDescription:
    """Have a flow's file loaded and described.

    Args:
        file: The flow's file.
        environment: Variables of the process that loads it.
        folder: Its working directory, ``None`` for that of this process.
        preparation: What may change the flow's parameters.

    Raises:
        FileNotFoundError: There is no such file.
        RuntimeError: It cannot be loaded, or does not define exactly one flow; names the file and the classes found.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no flow file {file}.")
    command = [sys.executable, "-m", __name__, str(file), msgspec.json.encode(preparation).decode()]
    ended = subprocess.run(
        command, env=dict(environment), cwd=folder, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        last = "\n".join(ended.stderr.splitlines()[-_SHOWN_LINES:])
        raise RuntimeError(f"The flow file {file} cannot be loaded:\n{last}")
    # What the file itself prints comes before the description.
    found = msgspec.json.decode(ended.stdout.splitlines()[-1], type=FlowDescription)
    if len(found.flows) != 1:
        raise RuntimeError(
            f"{file} should define exactly one subclass of FlowSpec; it defines "
            f"{', '.join(found.flows) or 'none'}."
        )
    return found


def _described(file: Path, preparation: Preparation) -> FlowDescription:
    from airflow_mlflow_provider.flow.includefile import IncludeFile
    from airflow_mlflow_provider.flow.parameters import environment_variable, flow_parameters
    from airflow_mlflow_provider.flow.preparation import prepare
    from airflow_mlflow_provider.runtime.flow_code import flow_classes

    found = flow_classes(file)
    if len(found) != 1:
        return FlowDescription(tuple(found))
    flow_class = next(iter(found.values()))
    prepare(flow_class, preparation.config_files, preparation.config_values, preparation.decospecs)
    return FlowDescription(
        tuple(found),
        tuple(
            DescribedParameter(
                name=parameter.name,
                kind="file" if isinstance(parameter, IncludeFile) else parameter.value_type.kind,
                required=parameter.is_required,
                variable=environment_variable(parameter.name),
            )
            for parameter in flow_parameters(flow_class)
        ),
    )


def main(arguments: list[str]) -> int:
    """Print the description of a file; 1 if the flow's configs cannot be used."""
    from airflow_mlflow_provider.exception import MetaflowException

    file = Path(arguments[0])
    sys.path[0] = os.fspath(file.resolve().parent)
    try:
        found = _described(file, msgspec.json.decode(arguments[1], type=Preparation))
    except MetaflowException as error:
        sys.stderr.write(f"{error.headline}: {error} {error.fix}\n")
        return 1
    sys.stdout.write(f"\n{msgspec.json.encode(found).decode()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
