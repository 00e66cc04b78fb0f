"""Flows from programs and notebooks: run them, deploy them, follow them."""

from __future__ import annotations

from airflow_mlflow_provider.programs.deployed import AirflowDeployedFlow, DeployedFlow
from airflow_mlflow_provider.programs.deploying import AirflowDeployer, Deployer, NBDeployer
from airflow_mlflow_provider.programs.executing import ExecutingProcess, ExecutingRun, ExecutingTask
from airflow_mlflow_provider.programs.notebook import (
    NBDeployerInitializationError,
    NBRunnerInitializationError,
)
from airflow_mlflow_provider.programs.notebook_runner import NBRunner
from airflow_mlflow_provider.programs.running import Runner
from airflow_mlflow_provider.programs.triggered import AirflowTriggeredRun, TriggeredRun

__all__ = [
    "AirflowDeployedFlow",
    "AirflowDeployer",
    "AirflowTriggeredRun",
    "DeployedFlow",
    "Deployer",
    "ExecutingProcess",
    "ExecutingRun",
    "ExecutingTask",
    "NBDeployer",
    "NBDeployerInitializationError",
    "NBRunner",
    "NBRunnerInitializationError",
    "Runner",
    "TriggeredRun",
]
