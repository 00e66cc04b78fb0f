"""``run_flow``: a flow run by a test."""

from __future__ import annotations

import atexit
import functools
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.exception import CommandException, TaskFailed
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.programs.flow_command import ExchangeFolder
from airflow_mlflow_provider.programs.running import RunAttributes

_USER = "pytest"
_LAST_LINES = 50


def run_flow(flow: type[FlowSpec] | str | os.PathLike[str], **parameters: Any) -> Run:
    """Run a flow in processes of its own, on a store that lives as long as this process.

    ```python
    from train import TrainFlow


    def test_training():
        run = run_flow(TrainFlow, alpha=0.5)
        assert run.data.score > 0.9
    ```

    Args:
        flow: A flow class at the top level of a file, or the path of a flow's file.
        parameters: Values of its parameters, by name with ``_`` for ``-``.

    Returns:
        The run, which has succeeded.

    Raises:
        TaskFailed: It has not; holds the last lines that it printed.
        CommandException: The class is not at the top level of a file.
    """
    folder = ExchangeFolder()
    try:
        options = ["--datastore-root", _store(), "run", "--runner-attribute-file", str(folder.attributes)]
        if parameters:
            names = {name.replace("_", "-"): name for name in parameters}
            options += ["--parameters-file", str(folder.parameters(_by_name(flow, names, parameters)))]
        ended = subprocess.run(
            [sys.executable, *_program(flow), *options],
            env={"METAFLOW_USER": _USER, **os.environ},
            capture_output=True,
            text=True,
            errors="backslashreplace",
            check=False,
        )
        if ended.returncode:
            last = "\n".join((ended.stdout + ended.stderr).splitlines()[-_LAST_LINES:])
            raise TaskFailed(
                f"The run of {_name(flow)} failed with exit code {ended.returncode}:\n{last}",
                fix="See the lines above.",
                where={"flow": _name(flow)},
            )
        told = msgspec.json.decode(folder.attributes.read_bytes(), type=RunAttributes)
    finally:
        folder.remove()
    return Run(f"{told.flow_name}/{told.run_id}", _namespace_check=False, _store=told.metadata)


def _by_name(flow: Any, dashed: dict[str, str], given: dict[str, Any]) -> dict[str, Any]:
    """The values under the names of the parameters, which may have dashes."""
    if not isinstance(flow, type):
        return given
    from airflow_mlflow_provider.flow.parameters import flow_parameters

    names = {dashed[p.name]: p.name for p in flow_parameters(flow) if p.name in dashed}
    return {names.get(name, name): value for name, value in given.items()}


def _program(flow: Any) -> list[str]:
    if not isinstance(flow, type):
        return [os.fspath(flow)]
    if "." in flow.__qualname__:
        raise CommandException(
            f"The flow {flow.__qualname__} is not at the top level of its file, where its tasks would look for it.",
            fix="Define the class at the top level of a file.",
            where={"flow": flow.__name__},
        )
    file = str(Path(inspect.getfile(flow)).resolve())
    return ["-m", "airflow_mlflow_provider.programs.class_command", file, flow.__name__]


def _name(flow: Any) -> str:
    return flow.__name__ if isinstance(flow, type) else os.fspath(flow)


@functools.cache
def _store() -> str:
    folder = tempfile.mkdtemp(prefix="airflow-mlflow-provider-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder).as_uri()
