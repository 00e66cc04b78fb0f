"""The command line of a flow's file, as a program gives it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from airflow_mlflow_provider.cli.commands import top_level_options
from airflow_mlflow_provider.programs.describing import FlowDescription, Preparation, describe
from airflow_mlflow_provider.programs.keywords import option_words
from airflow_mlflow_provider.programs.process import FlowProcess


class FlowCommand:
    """A flow's file with what comes before the command.

    Args:
        flow_file: The file.
        show_output: Whether what commands print is printed here as well.
        profile: A profile of the configuration.
        env: Variables in addition to those of this process.
        cwd: Working directory of the commands.
        file_read_timeout: Seconds in which a command has to tell what it has started.
        top_level: Options before the command.

    Raises:
        FileNotFoundError: There is no such file.
        RuntimeError: It does not define exactly one flow.
        ValueError: An option is not known.
        TypeError: An option has the wrong type.
    """

    def __init__(
        self,
        flow_file: str | os.PathLike[str],
        *,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        file_read_timeout: float = 3600,
        **top_level: Any,
    ) -> None:
        self.file = Path(cwd or ".", flow_file).absolute()
        self.show_output = show_output
        self.environment = {**os.environ, **(env or {})}
        self.folder = cwd
        self.file_read_timeout = file_read_timeout
        self._top_level = top_level
        words = option_words(top_level_options(), {"profile": profile, **top_level}, "The flow")
        self._words = [sys.executable, str(self.file), *words]
        # Read now, so that a file that is no flow is told at once.
        _ = self.description

    @cached_property
    def description(self) -> FlowDescription:
        """What the file defines."""
        preparation = Preparation(
            {name: str(path) for name, path in self._top_level.get("config") or ()},
            dict(self._top_level.get("config_value") or ()),
            tuple(self._top_level.get("decospecs") or self._top_level.get("with") or ()),
        )
        return describe(self.file, self.environment, self.folder, preparation)

    @property
    def flow_name(self) -> str:
        """Name of the flow."""
        return self.description.flows[0]

    def start(self, *words: str) -> FlowProcess:
        """Start a command."""
        return FlowProcess([*self._words, *words], self.environment, self.folder, show=self.show_output)


class ExchangeFolder:
    """A folder through which a command and this program tell each other what no command line can hold."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] = tempfile.TemporaryDirectory(
            prefix="airflow-mlflow-provider-"
        )

    @property
    def attributes(self) -> Path:
        """Where the command tells what it has made."""
        return Path(self._folder.name) / "attributes.json"

    def parameters(self, values: Mapping[str, Any]) -> Path:
        """Write the values of parameters to a file."""
        path = Path(self._folder.name) / "parameters.json"
        path.write_bytes(msgspec.json.encode(values))
        return path

    def remove(self) -> None:
        """Remove it."""
        self._folder.cleanup()
