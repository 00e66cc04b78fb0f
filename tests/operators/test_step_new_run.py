"""The record of a run that Airflow starts."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from airflow.sdk import Context

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.operators.new_run import check_conf, new_run, parameters, with_code
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import FlowManifest, Project, decode
from airflow_mlflow_provider.plan.run_tags import system_tags
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.dag.manifests import manifest_of

ALPHA = ParameterSpec("alpha", "alpha", {"type": "number"}, default=0.5)
NEEDED = ParameterSpec("needed", "needed", {"type": "string"}, required=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty store."""
    return Ledger(open_store(tmp_path.as_uri()))


def context(conf: dict[str, Any] | None, params: dict[str, Any]) -> Context:
    """What Airflow knows of a run."""
    dag_run = SimpleNamespace(
        conf=conf,
        dag_id="LinearFlow",
        run_id="manual__1",
        run_type="manual",
        triggering_user_name="ada",
        logical_date=datetime(2026, 1, 2, tzinfo=timezone.utc),
    )
    return cast("Context", {"dag_run": dag_run, "params": params})


def test_a_run_keeps_parameters_manifest_code_tags_and_its_airflow_ids(ledger: Ledger) -> None:
    manifest = manifest_of("linear", parameters=(ALPHA,), tags=("nightly",), provider="1.0")
    record = new_run(Deployment(manifest), ledger, "airflow-1", context({"alpha": 1}, {"alpha": 1}))
    assert record.parameters == {"alpha": 1}
    assert decode(ledger.blob(record.manifest)) == manifest
    assert record.code == manifest.code.digest
    assert record.tags == ("nightly",)
    assert record.airflow["dag_run_id"] == "manual__1"
    assert record.airflow["logical_date"] == "2026-01-02T00:00:00+00:00"
    assert record.user == "airflow"


@pytest.mark.parametrize("conf", [None, {}, {"alpha": 1}])
def test_conf_may_name_parameters_only(conf: dict[str, Any] | None) -> None:
    check_conf(manifest_of("linear", parameters=(ALPHA,)), conf or {})


def test_a_misspelt_parameter_is_refused_with_the_nearest_name_and_all_others() -> None:
    manifest = manifest_of("linear", parameters=(ALPHA, NEEDED))
    with pytest.raises(
        CommandException, match=r"alhpa. Did you mean alpha\? .*alpha \(number\), needed \(string\)"
    ):
        check_conf(manifest, {"alhpa": 1})


def test_a_config_is_refused_as_fixed_at_deployment() -> None:
    with pytest.raises(CommandException, match="cfg of LinearFlow is a config"):
        check_conf(manifest_of("linear", configs={"cfg": {}}), {"cfg": 1})


def test_an_editable_config_may_be_given_for_a_run_and_is_kept_with_it(ledger: Ledger) -> None:
    deployed = {"cfg": {"depth": 1}, "fixed": 2}
    manifest = manifest_of("linear", configs=deployed, editable_configs=("cfg",))
    given = {"cfg": {"depth": 3}}
    record = new_run(Deployment(manifest), ledger, "airflow-1", context(given, given))
    assert decode(ledger.blob(record.manifest)).configs == {"cfg": {"depth": 3}, "fixed": 2}
    assert record.parameters == {}
    with pytest.raises(CommandException, match="fixed of LinearFlow is a config"):
        check_conf(manifest, {"cfg": {}, "fixed": 3})


def test_every_missing_parameter_is_named() -> None:
    also = msgspec.structs.replace(NEEDED, name="also", attribute="also")
    manifest = manifest_of("linear", parameters=(NEEDED, ALPHA, also))
    with pytest.raises(CommandException, match="required parameters needed, also of LinearFlow"):
        parameters(manifest, {"needed": None, "alpha": 1})


def test_parameters_fall_back_to_their_defaults() -> None:
    assert parameters(manifest_of("linear", parameters=(ALPHA,)), {}) == {"alpha": 0.5}


def test_system_tags_name_runtime_deployer_token_and_project() -> None:
    project = Project(name="p", branch="prod", is_user_branch=False, is_production=True, flow_name="p.prod.F")
    manifest = msgspec.structs.replace(
        manifest_of("linear"),
        project=project,
        production_token="tok",
        deployer="ada",
        provider="1.0",
        system_tags=("project:p", "extra:1"),
    )
    tags = system_tags(manifest)
    assert {
        "user:airflow",
        "runtime:airflow",
        "production:tok",
        "deployer:ada",
        "project_branch:prod",
        "extra:1",
    } <= {*tags}
    assert len(set(tags)) == len(tags)


def test_code_of_a_flow_in_the_dags_folder_is_packaged_once_for_equal_files(
    ledger: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "code" / "flow.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    digests = {_packaged(ledger, file).manifest.code.digest for _ in range(2)}
    file.write_text("x = 2\n")
    changed = _packaged(ledger, file).manifest.code
    assert len(digests) == 1
    assert changed.digest not in digests
    assert changed.path == ""
    assert ledger.code(changed.digest)


def test_code_that_is_deployed_or_in_a_bundle_is_left_where_it_is(ledger: Ledger) -> None:
    deployed = Deployment(manifest_of("linear"))
    assert with_code(deployed, ledger) is deployed


def _packaged(ledger: Ledger, file: Path) -> Deployment:
    manifest: FlowManifest = manifest_of("linear")
    code = msgspec.structs.replace(manifest.code, digest="", path=str(file), script=file.name)
    return with_code(Deployment(msgspec.structs.replace(manifest, code=code)), ledger)
