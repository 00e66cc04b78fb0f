"""PROJECT_BRANCH, CONFIG_EXPR, RUN_PARAMS and FROM_DEPLOYMENT of the orchestrator kit."""

from __future__ import annotations

import pytest

from airflow_mlflow_provider import DeployedFlow
from airflow_mlflow_provider.exception import CommandException
from tests.capabilities.deployed import Deployments, data

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

# What a shell, a template or a form could change on the way.
NASTY = "$5 `id` $(id) \"two\" 'one' {{ 7 * 7 }} \\n \n 🙂 ; rm -rf /"


def test_project_branch_and_from_deployment(deployments: Deployments) -> None:
    deployed = deployments.deploy(
        "basic/helloproject.py", unnamed=True, branch=deployments.compute, create={"tags": ["kit"]}
    )
    branch = f"test.{deployments.compute}"
    assert deployed.name == f"hello_project.{branch}.HelloProjectFlow"
    # The flow's file is not told to what finds it again.
    found = DeployedFlow.from_deployment(deployed.name)
    assert (found.name, found.flow_name, found.production_token) == (
        deployed.name,
        "HelloProjectFlow",
        deployed.production_token,
    )
    run = deployments.run(found)
    assert data(run, "end").branch == data(run, "start").first_branch == branch
    assert data(run, "end").flow_name == deployed.name
    assert {"project:hello_project", f"project_branch:{branch}", "kit"} <= set(run.tags)


def test_config_expr(deployments: Deployments) -> None:
    overridden = {"a": {"project_name": f"kit_{deployments.compute}", "b": "99"}}
    deployed = deployments.deploy(
        "config/config_simple.py",
        unnamed=True,
        branch="config",
        package_suffixes=".py,.json",
        config_value=[("cfg_default_value", overridden)],
    )
    with pytest.raises(CommandException, match="cfg_default_value' is a config"):
        deployed.trigger(cfg_default_value={"a": {}})
    run = deployments.run(deployed, trigger_param="given")
    assert f"project:kit_{deployments.compute}" in run.tags
    start = data(run, "start")
    assert (start.variable, start.config_val, start.from_config) == ("43", 42, 42)
    end = data(run, "end")
    assert (end.config_val_2, end.trigger_param) == ("99", "given")
    assert run.data is not None
    assert run.data.cfg_default_value == overridden
    task = run["start"].task
    assert task is not None
    dag_run = deployments.airflow.api.run(deployed.name, task.metadata_dict["airflow-dag-run-id"])
    assert dag_run["conf"] == {"trigger_param": "given"}, "no config is passed on"


def test_run_params(deployments: Deployments) -> None:
    deployed = deployments.deploy("config/mutable_flow.py")
    given = {"nested": [NASTY, None, 1.5]}
    run = deployments.run(deployed, trigger_param=NASTY, param2="48", words=["x,y", NASTY], anything=given)
    assert data(run, "start").seen == (NASTY, "48", ["x,y", NASTY], given)
    assert data(run, "end").trigger_param == NASTY
