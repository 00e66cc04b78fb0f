"""``Runner``: local runs, started by programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.cli.run_command import command_options
from airflow_mlflow_provider.cli.spin_command import command_options as spin_options
from airflow_mlflow_provider.client import Run, Task
from airflow_mlflow_provider.programs.executing import ExecutingRun, ExecutingTask
from airflow_mlflow_provider.programs.flow_command import ExchangeFolder, FlowCommand
from airflow_mlflow_provider.programs.keywords import keyword_of, option_words, parameter_values
from airflow_mlflow_provider.programs.process import FlowProcess

if TYPE_CHECKING:
    from typing_extensions import Self

_INTERNAL = ("parameters_file", "runner_attribute_file")


class RunAttributes(msgspec.Struct, frozen=True):
    """What a run tells of itself."""

    flow_name: str
    run_id: str
    metadata: str


class TaskAttributes(msgspec.Struct, frozen=True):
    """What a spun task tells of itself."""

    pathspec: str
    metadata: str


class Runner:
    """Runs a flow's file, each time in a process of its own.

    ```python
    with Runner("train.py", environment="pypi") as runner:
        result = runner.run(alpha=0.5, tags=["nightly"])
        print(result.run.data.score)
    ```

    Args:
        flow_file: The flow's file.
        show_output: Whether what runs print is printed here as well.
        profile: A profile of the configuration.
        env: Variables in addition to those of this process.
        cwd: Working directory of the runs.
        file_read_timeout: Seconds in which a run has to get its id.
        top_level: Options before the command: ``decospecs=["retry"]`` for ``--with``, ``config=[(name, path)]``,
            ``config_value=[(name, value)]``, ``package_suffixes``, ``pylint=False`` …

    Raises:
        FileNotFoundError: There is no such file.
        RuntimeError: It does not define exactly one flow; names the file and the classes found.
        ValueError: An option is not known.
        TypeError: An option has the wrong type.
    """

    def __init__(
        self,
        flow_file: str | os.PathLike[str],
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        file_read_timeout: float = 3600,
        **top_level: Any,
    ) -> None:
        self.flow_file = str(flow_file)
        self._command = FlowCommand(
            flow_file,
            show_output=show_output,
            profile=profile,
            env=env,
            cwd=cwd,
            file_read_timeout=file_read_timeout,
            **top_level,
        )
        self._started: list[tuple[FlowProcess, ExchangeFolder]] = []

    def run(self, **kwargs: Any) -> ExecutingRun:
        """Run the flow and wait for its end.

        Args:
            kwargs: Parameters of the flow and options of ``run``, with ``_`` for ``-``.

        Raises:
            ValueError: A keyword is not known, or a required parameter has no value.
            TypeError: A value has the wrong type.
            RuntimeError: The command ended before the run had an id; holds the last lines that it printed.
        """
        return self._waited(self._begun("run", kwargs))

    def resume(self, **kwargs: Any) -> ExecutingRun:
        """Resume a run and wait for the end of the new one; as :meth:`run`, with the options of ``resume``."""
        return self._waited(self._begun("resume", kwargs))

    def spin(self, pathspec: str, **kwargs: Any) -> ExecutingTask:
        """Run the step of a past task again, on its inputs, and wait for the end.

        Args:
            pathspec: ``STEP``, ``RUN/STEP`` or ``RUN/STEP/TASK``.
            kwargs: Options of ``spin``, with ``_`` for ``-``. ``persist`` is on, as there would be nothing to look at.

        Raises:
            ValueError: A keyword is not known.
            TypeError: A value has the wrong type.
            RuntimeError: The command ended before there was a task; holds the last lines that it printed.
        """
        process, folder = self._spun(pathspec, kwargs)
        try:
            told = process.attributes(folder.attributes, TaskAttributes, self._command.file_read_timeout)
            process.wait()
        except BaseException:
            process.kill()
            raise
        return ExecutingTask(process, _task(told))

    async def async_run(self, **kwargs: Any) -> ExecutingRun:
        """Run the flow; returns as soon as the run has its id. Otherwise as :meth:`run`."""
        return await self._named(self._begun("run", kwargs))

    async def async_resume(self, **kwargs: Any) -> ExecutingRun:
        """Resume a run; returns as soon as the new one has its id. Otherwise as :meth:`resume`."""
        return await self._named(self._begun("resume", kwargs))

    async def async_spin(self, pathspec: str, **kwargs: Any) -> ExecutingTask:
        """Run the step of a past task again; returns once it has ended, without blocking the loop. Otherwise as :meth:`spin`."""
        process, folder = self._spun(pathspec, kwargs)
        timeout = self._command.file_read_timeout
        told = await process.attributes_later(folder.attributes, TaskAttributes, timeout)
        return ExecutingTask(process, _task(told))

    def cleanup(self) -> None:
        """End what still runs and remove the files of all runs."""
        for process, folder in self._started:
            process.cleanup()
            folder.remove()
        self._started.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    def _begun(self, command: str, given: Mapping[str, Any]) -> tuple[FlowProcess, ExchangeFolder]:
        call = f"Runner.{command}()"
        description = self._command.description
        names = {keyword_of(parameter.name) for parameter in description.parameters}
        options = [option for option in command_options(command) if option.name not in _INTERNAL]
        others = {keyword: value for keyword, value in given.items() if keyword not in names}
        words = option_words(options, others, call, also=names)
        environment = self._command.environment
        # A resumed run takes what is not given from its origin.
        needed = (
            description.parameters
            if command == "run"
            else [msgspec.structs.replace(parameter, required=False) for parameter in description.parameters]
        )
        values = parameter_values(needed, given, environment, call)
        folder = ExchangeFolder()
        words += ["--runner-attribute-file", str(folder.attributes)]
        if values:
            words += ["--parameters-file", str(folder.parameters(values))]
        started = self._command.start(command, *words), folder
        self._started.append(started)
        return started

    def _spun(self, pathspec: str, given: Mapping[str, Any]) -> tuple[FlowProcess, ExchangeFolder]:
        options = [option for option in spin_options() if option.name not in _INTERNAL]
        words = option_words(options, {"persist": True, **given}, "Runner.spin()", also=set())
        folder = ExchangeFolder()
        words += ["--runner-attribute-file", str(folder.attributes)]
        started = self._command.start("spin", pathspec, *words), folder
        self._started.append(started)
        return started

    def _waited(self, started: tuple[FlowProcess, ExchangeFolder]) -> ExecutingRun:
        process, folder = started
        try:
            told = process.attributes(folder.attributes, RunAttributes, self._command.file_read_timeout)
            process.wait()
        except BaseException:
            process.kill()
            raise
        return ExecutingRun(process, _run(told))

    async def _named(self, started: tuple[FlowProcess, ExchangeFolder]) -> ExecutingRun:
        process, folder = started
        timeout = self._command.file_read_timeout
        told = await process.attributes_later(folder.attributes, RunAttributes, timeout)
        return ExecutingRun(process, _run(told))


def _run(told: RunAttributes) -> Run:
    return Run(f"{told.flow_name}/{told.run_id}", _namespace_check=False, _store=told.metadata)


def _task(told: TaskAttributes) -> Task:
    return Task(told.pathspec, _namespace_check=False, _store=told.metadata)
