"""``Deployer``: flows deployed by programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from airflow_mlflow_provider.cli.airflow.create_command import create
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.programs.deployed import AirflowDeployedFlow, DeployedFlow
from airflow_mlflow_provider.programs.flow_command import ExchangeFolder, FlowCommand
from airflow_mlflow_provider.programs.keywords import option_words
from airflow_mlflow_provider.programs.notebook import NBDeployerInitializationError, write_flow

_INTERNAL = ("deployer_attribute_file", "dry_run")


class DeploymentAttributes(msgspec.Struct, frozen=True):
    """What a deployment tells of itself."""

    name: str
    flow_name: str
    metadata: str


class Deployer:
    """Deploys a flow's file.

    ```python not-run="it needs a running Airflow"
    deployed = Deployer("train.py", production=True).airflow().create(max_workers=20)
    run = deployed.trigger(alpha=0.5)
    run.wait_for_completion()
    ```

    Args:
        flow_file: The flow's file.
        show_output: Whether what the command prints is printed here as well.
        profile: A profile of the configuration.
        env: Variables in addition to those of this process.
        cwd: Working directory of the command.
        file_read_timeout: Seconds that a deployment may take.
        top_level: Options before the command, as for ``Runner``; ``branch`` and ``production`` of ``@project`` among them.

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

    def airflow(self, name: str | None = None) -> AirflowDeployer:
        """The deployer to Airflow.

        Args:
            name: Name of the deployment instead of the flow's.
        """
        return AirflowDeployer(self._command, name)

    def argo_workflows(self, name: str | None = None, **deployer_kwargs: Any) -> NoReturn:
        """Not offered.

        Raises:
            CommandException: Always; names the alternative.
        """
        raise _not_offered("argo_workflows")

    def step_functions(self, name: str | None = None, **deployer_kwargs: Any) -> NoReturn:
        """Not offered.

        Raises:
            CommandException: Always; names the alternative.
        """
        raise _not_offered("step_functions")


def _not_offered(what: str) -> CommandException:
    return CommandException(
        f"Deployer.{what}() is not offered: flows are deployed to Airflow, by Deployer(…).airflow().",
        fix="Use Deployer(…).airflow().",
    )


class AirflowDeployer:
    """Deploys a flow as an Airflow DAG.

    Args:
        command: The flow.
        name: Name of the deployment instead of the flow's.
    """

    def __init__(self, command: FlowCommand, name: str | None = None) -> None:
        self._command = command
        self._name = name

    def create(self, file: str | None = None, **kwargs: Any) -> AirflowDeployedFlow:
        """Deploy the flow.

        Args:
            file: Path or URL of the DAG file; ``<dags_folder>/<dag_id>.py`` by default.
            kwargs: The options of ``airflow create``, with ``_`` for ``-``: ``tags``, ``authorize``, ``max_workers`` …

        Raises:
            ValueError: A keyword is not known.
            TypeError: A value has the wrong type.
            RuntimeError: The flow could not be deployed; holds what the command said.
        """
        options = [option for option in create.params if option.name not in (*_INTERNAL, "file")]
        words = option_words(options, kwargs, "AirflowDeployer.create()", also=["file"])
        folder = ExchangeFolder()
        name = ["--name", self._name] if self._name else []
        target = [file] if file else []
        process = self._command.start(
            "airflow", *name, "create", *words, "--deployer-attribute-file", str(folder.attributes), *target
        )
        try:
            told = process.attributes(
                folder.attributes, DeploymentAttributes, self._command.file_read_timeout
            )
            process.wait(self._command.file_read_timeout)
        finally:
            process.cleanup()
            folder.remove()
        return DeployedFlow.from_airflow(told.name, told.metadata)

    @staticmethod
    def from_deployment(identifier: str, metadata: str | None = None) -> AirflowDeployedFlow:
        """The deployment of a DAG id, see :meth:`DeployedFlow.from_deployment`.

        Args:
            identifier: The DAG id, dotted or not.
            metadata: URL of the store; the active one by default.

        Raises:
            MetaflowNotFound: Nothing is deployed under it in the store.
        """
        return DeployedFlow.from_airflow(identifier, metadata)


class NBDeployer(Deployer):
    """Deploys a flow that is defined in the same notebook cell, above the call.

    Args:
        flow: The flow's class.
        show_output: Whether what the command prints is printed here as well.
        profile: A profile of the configuration.
        env: Variables in addition to those of this process.
        base_dir: Where the flow's file is written; a temporary folder by default.
        file_read_timeout: Seconds that a deployment may take.
        top_level: Options before the command.

    Raises:
        NBDeployerInitializationError: This is no notebook, or the flow was defined in another cell.
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
        self._file = write_flow(flow, NBDeployerInitializationError, base_dir)
        path = str(self._file.absolute())
        super().__init__(path, show_output, profile, env, base_dir, file_read_timeout, **top_level)

    def cleanup(self) -> None:
        """Remove the flow's file."""
        self._file.unlink(missing_ok=True)
