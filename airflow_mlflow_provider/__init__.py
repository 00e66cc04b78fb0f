"""ML flows for Apache Airflow: write a class of steps, run it on a laptop, deploy it as a DAG.

Every public name imports from here; each is loaded when it is first used, so that importing the package costs nothing.
This package has nothing to do with the MLflow tracking server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.version import __version__

if TYPE_CHECKING:
    from airflow_mlflow_provider import cards
    from airflow_mlflow_provider.client import (
        DataArtifact,
        Flow,
        Metaflow,
        Run,
        Step,
        Task,
        default_metadata,
        default_namespace,
        get_metadata,
        get_namespace,
        inspect_spin,
        metadata,
        namespace,
    )
    from airflow_mlflow_provider.datatools import S3
    from airflow_mlflow_provider.flow.config import (
        Config,
        ConfigValue,
        conda_environment_yml_parser,
        config_expr,
        pyproject_toml_parser,
        requirements_txt_parser,
        yaml_parser,
    )
    from airflow_mlflow_provider.flow.current import current
    from airflow_mlflow_provider.flow.decorators import (
        airflow_external_task_sensor,
        airflow_s3_key_sensor,
        airflow_task,
        batch,
        cache,
        card,
        catch,
        checkpoint,
        conda,
        conda_base,
        environment,
        exit_hook,
        kubernetes,
        namespaced_event_name,
        package_sources,
        parallel,
        project,
        pypi,
        pypi_base,
        pytorch_parallel,
        resources,
        retry,
        schedule,
        secrets,
        slurm,
        timeout,
        trigger,
        trigger_on_finish,
    )
    from airflow_mlflow_provider.flow.includefile import IncludeFile
    from airflow_mlflow_provider.flow.parameters import JSONType, JSONTypeClass, Parameter
    from airflow_mlflow_provider.flow.spec import FlowSpec
    from airflow_mlflow_provider.flow.step import step
    from airflow_mlflow_provider.flow.user_decorators import (
        USER_SKIP_STEP,
        FlowMutator,
        StepMutator,
        UserStepDecorator,
        user_step_decorator,
    )
    from airflow_mlflow_provider.runner import DeployedFlow, Deployer, NBDeployer, NBRunner, Runner
    from airflow_mlflow_provider.tools.multicore import parallel_imap_unordered, parallel_map
    from airflow_mlflow_provider.tools.profiling import profile


_HOMES = {
    "client": (
        "DataArtifact",
        "Flow",
        "Metaflow",
        "Run",
        "Step",
        "Task",
        "default_metadata",
        "default_namespace",
        "get_metadata",
        "get_namespace",
        "inspect_spin",
        "metadata",
        "namespace",
    ),
    "datatools": ("S3",),
    "flow.config": (
        "Config",
        "ConfigValue",
        "conda_environment_yml_parser",
        "config_expr",
        "pyproject_toml_parser",
        "requirements_txt_parser",
        "yaml_parser",
    ),
    "flow.current": ("current",),
    "flow.decorators": (
        "airflow_external_task_sensor",
        "airflow_s3_key_sensor",
        "airflow_task",
        "batch",
        "cache",
        "card",
        "catch",
        "checkpoint",
        "conda",
        "conda_base",
        "environment",
        "exit_hook",
        "kubernetes",
        "namespaced_event_name",
        "package_sources",
        "parallel",
        "project",
        "pypi",
        "pypi_base",
        "pytorch_parallel",
        "resources",
        "retry",
        "schedule",
        "secrets",
        "slurm",
        "timeout",
        "trigger",
        "trigger_on_finish",
    ),
    "flow.includefile": ("IncludeFile",),
    "flow.parameters": ("JSONType", "JSONTypeClass", "Parameter"),
    "flow.spec": ("FlowSpec",),
    "flow.step": ("step",),
    "runner": ("DeployedFlow", "Deployer", "NBDeployer", "NBRunner", "Runner"),
    "flow.user_decorators": (
        "USER_SKIP_STEP",
        "FlowMutator",
        "StepMutator",
        "UserStepDecorator",
        "user_step_decorator",
    ),
    "tools.multicore": ("parallel_imap_unordered", "parallel_map"),
    "tools.profiling": ("profile",),
}
# Of Metaflow, and not offered: may be imported, so that the error says what to use instead.
_NOT_OFFERED = {"Checkpoint": "flow.decorators.refused"}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [
    "S3",
    "USER_SKIP_STEP",
    "Config",
    "ConfigValue",
    "DataArtifact",
    "DeployedFlow",
    "Deployer",
    "Flow",
    "FlowMutator",
    "FlowSpec",
    "IncludeFile",
    "JSONType",
    "JSONTypeClass",
    "Metaflow",
    "NBDeployer",
    "NBRunner",
    "Parameter",
    "Run",
    "Runner",
    "Step",
    "StepMutator",
    "Task",
    "UserStepDecorator",
    "__version__",
    "airflow_external_task_sensor",
    "airflow_s3_key_sensor",
    "airflow_task",
    "batch",
    "cache",
    "card",
    "cards",
    "catch",
    "checkpoint",
    "conda",
    "conda_base",
    "conda_environment_yml_parser",
    "config_expr",
    "current",
    "default_metadata",
    "default_namespace",
    "environment",
    "exit_hook",
    "get_metadata",
    "get_namespace",
    "inspect_spin",
    "kubernetes",
    "metadata",
    "namespace",
    "namespaced_event_name",
    "package_sources",
    "parallel",
    "parallel_imap_unordered",
    "parallel_map",
    "profile",
    "project",
    "pypi",
    "pypi_base",
    "pyproject_toml_parser",
    "pytorch_parallel",
    "requirements_txt_parser",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "slurm",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
    "user_step_decorator",
    "yaml_parser",
]


def __getattr__(name: str) -> Any:
    if name == "cards":
        return importlib.import_module(f"{__name__}.cards")
    home = _HOME_OF.get(name) or _NOT_OFFERED.get(name)
    if home is not None:
        value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, "cards"})
