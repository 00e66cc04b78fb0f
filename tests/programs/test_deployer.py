"""``Deployer`` deploys a flow's file; what is deployed is found again without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.exception import CommandException, IncorrectProductionToken, MetaflowNotFound
from airflow_mlflow_provider.programs.deployed import AirflowDeployedFlow, DeployedFlow
from airflow_mlflow_provider.programs.deploying import Deployer
from tests.flow_runs import USER, FlowFile
from tests.services.airflow import PASSWORDS, LiveAirflow

FLOW = """
    @project(name="shop")
    class Sold(FlowSpec):
        alpha = Parameter("alpha", default=1)
        names = Parameter("the-names", default="a", separator=",")
        note = IncludeFile("note", default="note.txt")
        cfg = Config("cfg", default_value={"x": 1})

        @step
        def start(self):
            self.got = (self.alpha, self.names, self.note, self.cfg.x)
            self.branch = current.branch_name
            assert self.alpha >= 0, "negative"
            self.next(self.end)

        @step
        def end(self):
            self.branch_at_end = current.branch_name
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlowFile:
    """The flow, on a store that is said to be shared."""
    monkeypatch.setenv("METAFLOW_USER", USER)
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED", "true")
    (tmp_path / "note.txt").write_text("deployed")
    return FlowFile(tmp_path, FLOW)


def deployer(flow: FlowFile, **options: Any) -> Deployer:
    return Deployer(
        str(flow.path), show_output=False, cwd=str(flow.folder), datastore_root=flow.store, **options
    )


@pytest.mark.parametrize("way", ["argo_workflows", "step_functions"])
def test_what_metaflow_deploys_to_and_this_does_not_names_the_alternative(flow: FlowFile, way: str) -> None:
    with pytest.raises(CommandException) as refused:
        getattr(deployer(flow), way)()
    assert "Deployer(…).airflow()" in refused.value.fix


def test_a_deployment_is_found_again_by_its_dag_id(flow: FlowFile, tmp_path: Path) -> None:
    target = tmp_path / "dags" / "sold.py"

    made = deployer(flow, branch="b").airflow().create(str(target), tags=["nightly"], max_workers=7)

    assert isinstance(made, AirflowDeployedFlow)
    assert (made.name, made.flow_name, made.metadata) == ("shop.test.b.Sold", "Sold", flow.store)
    assert made.production_token
    assert target.exists()
    assert made.manifest.limits.max_workers == 7
    assert made.manifest.tags == ("nightly",)
    again = DeployedFlow.from_deployment("shop.test.b.Sold", flow.store)
    assert again.production_token == made.production_token
    assert repr(again) == "AirflowDeployedFlow('shop.test.b.Sold')"
    other = deployer(flow, production=True).airflow().create(str(tmp_path / "dags" / "other.py"))
    told = flow.run("list-deployments", "--as-json", command="airflow", top=["--branch", "b"]).succeeded()
    assert {row["name"] for row in json.loads(told.stdout)} == {made.name, other.name}
    assert {row["file"] for row in json.loads(told.stdout)} >= {str(target)}
    listed = {one.name for one in DeployedFlow.list_deployed_flows("Sold", metadata=flow.store)}
    assert listed == {made.name, other.name}
    assert list(DeployedFlow.list_deployed_flows("Unsold", metadata=flow.store)) == []


def test_what_is_not_deployed_is_not_found(flow: FlowFile) -> None:
    with pytest.raises(MetaflowNotFound, match=r"shop\.prod\.Sold"):
        DeployedFlow.from_deployment("shop.prod.Sold", flow.store)
    with pytest.raises(ValueError, match=r"'argo'.*airflow"):
        DeployedFlow.from_deployment("Sold", flow.store, impl="argo")
    with pytest.raises(ValueError, match="'argo'"):
        DeployedFlow.get_triggered_run("Sold", "1", impl="argo")
    with pytest.raises(ValueError, match="'argo'"):
        DeployedFlow.list_deployed_flows(impl="argo")


def test_a_failed_deployment_says_what_the_command_said(
    flow: FlowFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deployer(flow)
    with pytest.raises(RuntimeError, match="X001"):
        made.airflow().create(str(flow.path))
    with pytest.raises(RuntimeError, match="X002"):
        made.airflow(name="other").create(str(tmp_path / "x.py"))
    with pytest.raises(ValueError, match=r"'colour'.*max_workers"):
        made.airflow().create(colour="red")
    with pytest.raises(TypeError, match="'max_workers'"):
        made.airflow().create(max_workers="many")


def test_names_that_are_no_parameters_are_refused_before_airflow_is_asked(
    flow: FlowFile, tmp_path: Path
) -> None:
    made = deployer(flow).airflow().create(str(tmp_path / "dag.py"))

    with pytest.raises(ValueError, match=r"'beta'.*alpha.*the_names"):
        made.trigger(beta=1)
    for wrong in ({"alpha": "x"}, {"alpha": True}, {"the_names": 5}):
        with pytest.raises(TypeError, match=r"expects (integer|string or array), and got"):
            made.trigger(**wrong)
    with pytest.raises(CommandException, match="frozen"):
        made.trigger(cfg={"x": 2})
    with pytest.raises(CommandException, match="nowhere"):
        made.trigger(note=str(tmp_path / "nowhere"))


def test_a_deployment_of_somebody_else_needs_its_token(
    flow: FlowFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "dag.py"
    made = deployer(flow, production=True).airflow().create(str(target))
    monkeypatch.setenv("METAFLOW_USER", "somebody")

    with pytest.raises(RuntimeError, match=USER):
        deployer(flow, production=True).airflow().create(str(target))
    with pytest.raises(IncorrectProductionToken):
        made.delete()
    taken = deployer(flow, production=True).airflow().create(str(target), authorize=made.production_token)
    assert taken.production_token == made.production_token
    assert taken.delete() is True
    assert taken.delete() is False
    assert not target.exists()
    with pytest.raises(MetaflowNotFound):
        DeployedFlow.from_deployment(made.name, flow.store)


@pytest.mark.live
@pytest.mark.slow
def test_a_deployed_flow_is_triggered_followed_resumed_and_ended(
    flow: FlowFile, live_airflow_sqlite: LiveAirflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__API_URL", live_airflow_sqlite.base_url)
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__API_USER", "admin")
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD", PASSWORDS["admin"])
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DAGS_FOLDER", str(live_airflow_sqlite.dags_folder))
    deployed = deployer(flow, branch="live").airflow().create()
    flow.path.unlink()
    (tmp_path / "other.txt").write_text("given")

    note = str(tmp_path / "other.txt")
    run = deployed.trigger(alpha=5, the_names=["x,y", "$5 `ls` 🙂"], note=note, tags=["once more"])
    run.wait_for_completion(check_interval=0.5, timeout=120)

    assert run.status == "Succeeded", live_airflow_sqlite.api.report(run.dag_id, run.dag_run_id)
    assert not run.is_running
    assert run.url.startswith(live_airflow_sqlite.base_url)
    assert run.run is not None
    assert run.run.successful
    assert run.run.pathspec == run.pathspec
    assert run.run.user_tags == {"once more"}
    assert run.run.data is not None
    assert run.run.data.got == (5, ["x,y", "$5 `ls` 🙂"], "given", 1)
    assert run.run.data.branch_at_end == run.run.data.branch == "test.live"
    found = DeployedFlow.get_triggered_run(deployed.name, run.name, flow.store)
    assert found.dag_run_id == run.dag_run_id
    failed = deployed.trigger(alpha=-1)
    failed.wait_for_run(check_interval=0.5, timeout=60)
    failed.wait_for_completion(check_interval=0.5, timeout=120)
    assert failed.status == "Failed"
    assert [one.name for one in deployed.list_runs(["Failed"])] == [failed.name]
    resumed = deployed.resume(failed.name, alpha=6)
    resumed.wait_for_completion(check_interval=0.5, timeout=120)
    assert resumed.status == "Succeeded"
    assert resumed.run is not None
    assert resumed.run.origin_pathspec == failed.pathspec
    assert resumed.run.data is not None
    assert resumed.run.data.got == (6, ["a"], "deployed", 1)
    assert resumed.terminate() is False
    with pytest.raises(CommandException, match="suspend"):
        resumed.suspend()
    deployed.pause()
    waiting = deployed.trigger()
    with pytest.raises(TimeoutError):
        waiting.wait_for_run(check_interval=0.1, timeout=0.5)
    states = [waiting.status, waiting.terminate(), waiting.status]
    assert states == ["Pending", True, "Failed"]
    deployed.unpause()
    assert deployed.delete() is True
