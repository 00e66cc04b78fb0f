"""``NBRunner``: local runs of a flow that is defined in a notebook cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.programs.executing import ExecutingRun
from airflow_mlflow_provider.programs.notebook import NBRunnerInitializationError, write_flow
from airflow_mlflow_provider.programs.running import Runner


class NBRunner:
    """Runs a flow that is defined in the same cell, above the call.

    Args:
        flow: The flow's class.
        show_output: Whether what runs print is printed here as well.
        profile: A profile of the configuration.
        env: Variables in addition to those of this process.
        base_dir: Where the flow's file is written and runs; a temporary folder, and the working directory, by default.
        file_read_timeout: Seconds in which a run has to get its id.
        top_level: Options before the command, as for ``Runner``.

    Raises:
        NBRunnerInitializationError: This is no notebook, or the flow was defined in another cell.
    """

    def __init__(
        self,
        flow: Any,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        base_dir: str | None = None,
        file_read_timeout: float = 3600,
        **top_level: Any,
    ) -> None:
        self._file = write_flow(flow, NBRunnerInitializationError, base_dir)
        self.runner = Runner(
            str(self._file.absolute()),
            show_output,
            profile,
            env,
            base_dir,
            file_read_timeout,
            **top_level,
        )

    def nbrun(self, **kwargs: Any) -> Run:
        """Run the flow, clean up, and give the run."""
        try:
            return self.runner.run(**kwargs).run
        finally:
            self.cleanup()

    def nbresume(self, **kwargs: Any) -> Run:
        """Resume a run, clean up, and give the new run."""
        try:
            return self.runner.resume(**kwargs).run
        finally:
            self.cleanup()

    def run(self, **kwargs: Any) -> ExecutingRun:
        """As ``Runner.run``."""
        return self.runner.run(**kwargs)

    def resume(self, **kwargs: Any) -> ExecutingRun:
        """As ``Runner.resume``."""
        return self.runner.resume(**kwargs)

    async def async_run(self, **kwargs: Any) -> ExecutingRun:
        """As ``Runner.async_run``."""
        return await self.runner.async_run(**kwargs)

    async def async_resume(self, **kwargs: Any) -> ExecutingRun:
        """As ``Runner.async_resume``."""
        return await self.runner.async_resume(**kwargs)

    def cleanup(self) -> None:
        """End what still runs and remove all files."""
        self.runner.cleanup()
        self._file.unlink(missing_ok=True)
