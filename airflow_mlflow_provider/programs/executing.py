"""Runs that programs have started: ``ExecutingRun`` and its kin."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from airflow_mlflow_provider.programs.process import FlowProcess, Stream

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_mlflow_provider.client import Run, Task

ExecutionStatus = Literal["timeout", "running", "failed", "successful"]


class ExecutingProcess:
    """A command that was started; a context manager that ends it and removes its files.

    Args:
        process: The command.
    """

    def __init__(self, process: FlowProcess) -> None:
        self.command_obj = process

    @property
    def status(self) -> ExecutionStatus:
        """``timeout``, ``running``, ``failed`` or ``successful``."""
        if self.command_obj.timed_out:
            return "timeout"
        code = self.command_obj.returncode
        if code is None:
            return "running"
        return "failed" if code else "successful"

    @property
    def returncode(self) -> int | None:
        """The exit code, ``None`` while the command runs."""
        return self.command_obj.returncode

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self.command_obj.output("stdout")

    @property
    def stderr(self) -> str:
        """What it has printed so far on standard error."""
        return self.command_obj.output("stderr")

    async def wait(self, timeout: float | None = None, stream: Stream | None = None) -> Self:
        """Wait for the end; a command that takes longer than ``timeout`` seconds is ended, and its status is ``timeout``.

        Args:
            timeout: Seconds, ``None`` for ever.
            stream: What to print meanwhile: ``stdout`` or ``stderr``, ``None`` for neither.
        """
        if not await self.command_obj.wait_for_end(timeout):
            self.command_obj.timed_out = True
            self.command_obj.kill()
        if stream is not None:
            async for _, line in self.command_obj.lines(stream):
                sys.stdout.write(f"{line}\n")
        return self

    async def stream_log(self, stream: Stream, position: int | None = None) -> AsyncIterator[tuple[int, str]]:
        """The lines that are printed, as they come, each with the position to go on from.

        Args:
            stream: ``stdout`` or ``stderr``.
            position: What an earlier call gave.
        """
        async for place, line in self.command_obj.lines(stream, position):
            yield place, line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.command_obj.cleanup()


class ExecutingRun(ExecutingProcess):
    """A run that was started.

    Args:
        process: The command.
        run: The run.
    """

    def __init__(self, process: FlowProcess, run: Run) -> None:
        super().__init__(process)
        self.run = run

    def __repr__(self) -> str:
        return f"ExecutingRun('{self.run.pathspec}')"


class ExecutingTask(ExecutingProcess):
    """A task that was started by ``spin``.

    Args:
        process: The command.
        task: The task.
    """

    def __init__(self, process: FlowProcess, task: Task) -> None:
        super().__init__(process)
        self.task = task

    def __repr__(self) -> str:
        return f"ExecutingTask('{self.task.pathspec}')"
