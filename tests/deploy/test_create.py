"""`airflow create`: what it writes, what it refuses, and that a refusal leaves what is deployed alone."""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_mlflow_provider.dag.load import read_manifest
from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.plan.deployment import Deployment as DeployedPlan
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.store.location import open_store
from tests.flow_runs import USER, FlowFile, FlowRun
from tests.services.s3 import S3Server

SHARED = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
SOURCE = """
    class Deployed(FlowSpec):
        '''Does little.'''

        alpha = Parameter("alpha", default=1)

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


class Deployment:
    """A flow, and a folder that it is deployed to."""

    def __init__(self, folder: Path, source: str = SOURCE) -> None:
        self.flow = FlowFile(folder / "flow", source)
        self.dags = folder / "dags"
        self.dags.mkdir()
        self.target = self.dags / "my_dag.py"

    def create(
        self,
        *options: str,
        user: str = USER,
        group: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        target: str | None = None,
        top: Sequence[str] = (),
    ) -> FlowRun:
        """Run `airflow create`."""
        arguments = [*group, "create", *options, target or str(self.target)]
        given = {**SHARED, "METAFLOW_USER": user, **(environment or {})}
        return self.flow.run(*arguments, command="airflow", environment=given, top=top)

    def manifest(self) -> FlowManifest:
        """What is deployed."""
        return decode(self.target.with_suffix(".json").read_bytes())

    def files(self) -> dict[str, bytes]:
        """What is in the DAGs folder."""
        return {path.name: path.read_bytes() for path in self.dags.iterdir()}

    def deployments(self) -> Deployments:
        """The records of deployments."""
        return Deployments(self.flow.ledger.store)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def test_a_dag_file_a_manifest_and_the_code_are_written_and_told(deployment: Deployment) -> None:
    run = deployment.create().succeeded()
    assert sorted(deployment.files()) == ["my_dag.json", "my_dag.py"]
    manifest = deployment.manifest()
    assert (manifest.dag_id, manifest.flow_name, manifest.deployer) == ("Deployed", "Deployed", USER)
    assert manifest.store == deployment.flow.store
    assert deployment.flow.ledger.code(manifest.code.digest)
    told = (
        "Deployed",
        str(deployment.target),
        manifest.production_token,
        "airflow trigger",
        "worker, 100 tasks",
    )
    for text in told:
        assert text in run.stdout + run.stderr


def test_a_conf_file_that_is_no_json_object_is_a_usage_error(deployment: Deployment, tmp_path: Path) -> None:
    deployment.create().succeeded()
    (tmp_path / "conf.json").write_text("[1]")
    words = ("trigger", "--conf-file", str(tmp_path / "conf.json"))
    told = deployment.flow.run(*words, command="airflow", environment=SHARED).failed(2).stderr
    assert "is no JSON object" in told


def test_the_dag_file_holds_no_code_of_the_user(deployment: Deployment) -> None:
    deployment.create().succeeded()
    tree = ast.parse(deployment.target.read_text("utf-8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported == ["airflow_mlflow_provider.dag"]
    assert len(deployment.target.read_text("utf-8").splitlines()) < 15


def test_the_same_flow_gives_the_same_files(deployment: Deployment) -> None:
    deployment.create().succeeded()
    first = deployment.files()
    deployment.create().succeeded()
    assert deployment.files() == first


def test_a_dry_run_prints_the_manifest_and_changes_nothing(deployment: Deployment) -> None:
    run = deployment.create("--dry-run").succeeded()
    assert decode(run.stdout.encode()).flow_name == "Deployed"
    assert deployment.files() == {}
    assert deployment.deployments().names() == []


def test_code_in_the_bundle_is_found_from_the_dag_file(deployment: Deployment) -> None:
    deployment.create("--code", "bundle").succeeded()
    code = deployment.manifest().code
    assert (code.source, code.digest, code.path) == ("bundle", "", "../flow/flow.py")
    assert not list(deployment.flow.ledger.store.list("code"))
    read = read_manifest(deployment.target.with_suffix(".json"))
    assert read.code.path == str(deployment.flow.path.resolve())


def test_code_in_the_bundle_must_be_where_workers_and_pods_find_it(deployment: Deployment) -> None:
    in_dags = {"AIRFLOW__MLFLOW_PROVIDER__DAGS_FOLDER": str(deployment.dags)}
    told = deployment.create("--code", "bundle", environment=in_dags).failed().stderr
    assert "is not in the DAGs folder" in told
    claim = 'kubernetes:persistent_volume_claims={"data": "/data"}'
    told = deployment.create("--code", "bundle", top=["--with", claim]).failed().stderr
    assert "pods have no DAG bundle" in told


def test_only_configs_can_be_made_editable(deployment: Deployment) -> None:
    told = deployment.create("--editable-config", "alpha").failed().stderr
    assert "Deployed has no config 'alpha' that runs could edit" in told


@pytest.mark.parametrize(("options", "units"), [((), ["start", "end"]), (("--fuse",), ["start"])])
def test_chains_run_as_one_task_if_asked_for(
    deployment: Deployment, options: tuple[str, ...], units: list[str]
) -> None:
    deployment.create(*options).succeeded()
    assert list(DeployedPlan(deployment.manifest()).plan.units) == units


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("self.next(self.end)", "self.next(self.ende)", "ende"),
        ("class Deployed", "import no_such_module\n\n\nclass Deployed", "no_such_module"),
        ("default=1", "default=lambda context: 1 / 0", "alpha"),
    ],
)
def test_a_flow_that_cannot_be_deployed_leaves_what_is_there_untouched(
    deployment: Deployment, old: str, new: str, told: str
) -> None:
    deployment.create().succeeded()
    before, record = deployment.files(), deployment.deployments().find("Deployed")
    text = deployment.flow.path.read_text("utf-8")
    assert old in text
    deployment.flow.path.write_text(text.replace(old, new, 1), "utf-8")
    run = deployment.create().failed()
    assert told in run.stderr
    assert deployment.files() == before
    assert deployment.deployments().find("Deployed") == record


def test_a_dag_file_that_cannot_be_written_leaves_the_manifest_and_the_record_as_they_were(
    tmp_path: Path, s3_server: S3Server, s3_bucket: str
) -> None:
    deployment = Deployment(tmp_path)
    deployment.flow.store = f"s3://{s3_bucket}/artifacts"
    target = f"s3://{s3_bucket}/dags/my_dag.py"
    dags = open_store(f"s3://{s3_bucket}/dags", cache=None)
    s3_server.fail(403, operation="PutObject", bucket=s3_bucket, key="dags/my_dag.py", times=1)
    assert "my_dag.py" in deployment.create(target=target).failed().stderr
    assert dags.children("") == []
    assert deployment.deployments().names() == []

    deployment.create(target=target).succeeded()
    before, record = bytes(dags.get("my_dag.json")), deployment.deployments().find("Deployed")
    s3_server.fail(403, operation="PutObject", bucket=s3_bucket, key="dags/my_dag.py", times=1)
    deployment.create("--tag", "new", target=target).failed()
    assert bytes(dags.get("my_dag.json")) == before
    assert deployment.deployments().find("Deployed") == record


def test_a_folder_in_the_place_of_the_dag_file_is_named(deployment: Deployment) -> None:
    deployment.target.mkdir()
    run = deployment.create().failed()
    assert str(deployment.target) in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(deployment: Deployment) -> None:
    deployment.dags.chmod(0o500)
    run = deployment.create().failed()
    deployment.dags.chmod(0o700)
    assert str(deployment.dags) in run.stderr


def test_x001_the_dag_file_is_not_the_flow(deployment: Deployment) -> None:
    run = deployment.create(target=str(deployment.flow.path)).failed()
    assert "X001" in run.stderr
    assert "class Deployed" in deployment.flow.path.read_text("utf-8")


def test_x002_a_name_and_a_project_exclude_each_other(tmp_path: Path) -> None:
    source = SOURCE.replace("    class Deployed", '    @project(name="shop")\n    class Deployed')
    deployment = Deployment(tmp_path, source)
    assert "X002" in deployment.create(group=("--name", "other")).failed().stderr
    deployment.create().succeeded()
    assert deployment.manifest().dag_id == f"shop.user.{USER}.Deployed"


def test_x003_a_required_parameter_of_a_flow_that_starts_by_itself(tmp_path: Path) -> None:
    source = SOURCE.replace("default=1", "required=True, type=int")
    scheduled = Deployment(
        tmp_path / "scheduled", source.replace("    class", "    @schedule(daily=True)\n    class")
    )
    run = scheduled.create().failed()
    assert "X003" in run.stderr
    assert "alpha" in run.stderr
    Deployment(tmp_path / "not", source).create().succeeded()


def test_x004_a_folder_as_store_must_be_said_to_be_shared(deployment: Deployment) -> None:
    run = deployment.create(environment={"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "false"}).failed()
    assert "X004" in run.stderr
    assert "datastore_shared" in run.stderr


def test_x004_pods_cannot_reach_a_folder_even_if_it_is_shared(deployment: Deployment) -> None:
    run = deployment.create("--compute", "kubernetes").failed()
    assert "X004" in run.stderr
    assert "start" in run.stderr


def test_x011_a_file_of_somebody_else_is_not_overwritten(deployment: Deployment) -> None:
    deployment.target.write_text("from airflow.sdk import DAG\n", "utf-8")
    assert "X011" in deployment.create().failed().stderr
    assert deployment.files() == {"my_dag.py": b"from airflow.sdk import DAG\n"}


def test_x011_the_deployment_of_another_flow_is_not_overwritten(
    tmp_path: Path, deployment: Deployment
) -> None:
    deployment.create().succeeded()
    before = deployment.files()
    other = Deployment(tmp_path / "other", SOURCE.replace("Deployed", "Other"))
    other.flow.store = deployment.flow.store
    assert "X011" in other.create(target=str(deployment.target)).failed().stderr
    by_name = other.create(group=("--name", "Deployed")).failed()
    assert "X011" in by_name.stderr
    assert "Deployed" in by_name.stderr
    assert deployment.files() == before


def test_a_target_that_is_no_python_file_is_refused(deployment: Deployment) -> None:
    assert ".py" in deployment.create(target=str(deployment.dags / "dag.txt")).failed().stderr


def test_the_token_lasts_until_a_new_one_is_asked_for(deployment: Deployment) -> None:
    deployment.create().succeeded()
    first = deployment.manifest().production_token
    deployment.create().succeeded()
    assert deployment.manifest().production_token == first
    deployment.create("--generate-new-token").succeeded()
    assert deployment.manifest().production_token not in ("", first)
    deployment.create("--new-token", "chosen").succeeded()
    assert deployment.manifest().production_token == "chosen"


def test_a_deployment_of_somebody_else_needs_its_token(deployment: Deployment) -> None:
    deployment.create().succeeded()
    token, before = deployment.manifest().production_token, deployment.files()
    without = deployment.create(user="other").failed()
    wrong = deployment.create("--authorize", "wrong", user="other").failed()
    for run in (without, wrong):
        assert "Deployed" in run.stderr
        assert USER in run.stderr
        assert token not in run.stderr
    assert deployment.files() == before
    deployment.create("--authorize", token, user="other").succeeded()
    assert deployment.manifest().deployer == "other"
    assert deployment.manifest().production_token == token
    # Both have had it, and are not asked for it again.
    deployment.create().succeeded()


def test_delete_removes_both_files_and_the_record_and_needs_the_token_of_others(
    deployment: Deployment,
) -> None:
    deployment.create().succeeded()
    environment = {**SHARED, "METAFLOW_USER": "other"}
    refused = deployment.flow.run("delete", command="airflow", environment=environment).failed()
    assert USER in refused.stderr
    assert len(deployment.files()) == 2
    deployment.flow.run("delete", command="airflow", environment=SHARED).succeeded()
    assert deployment.files() == {}
    assert deployment.deployments().names() == []
    again = deployment.flow.run("delete", command="airflow", environment=SHARED).failed()
    assert "not deployed" in again.stderr


def test_a_bucket_is_a_destination_like_a_folder(tmp_path: Path, s3_bucket: str) -> None:
    deployment = Deployment(tmp_path)
    deployment.flow.store = f"s3://{s3_bucket}/artifacts"
    target = f"s3://{s3_bucket}/dags/my_dag.py"
    run = deployment.create("--compute", "kubernetes", target=target).succeeded()
    assert target in run.stderr
    dags = open_store(f"s3://{s3_bucket}/dags", cache=None)
    assert dags.children("") == ["my_dag.json", "my_dag.py"]
    assert decode(bytes(dags.get("my_dag.json"))).compute == "kubernetes"
    assert b'load_flow("my_dag.json")' in bytes(dags.get("my_dag.py"))
    deployment.flow.run("delete", command="airflow").succeeded()
    assert dags.children("") == []


def test_no_credentials_reach_dag_file_or_manifest(deployment: Deployment) -> None:
    environment = {
        "AIRFLOW__MLFLOW_PROVIDER__API_TOKEN": "geheim-1",
        "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": "geheim-2",
        "AWS_SECRET_ACCESS_KEY": "geheim-3",
    }
    deployment.create(environment=environment).succeeded()
    assert not any(b"geheim" in content for content in deployment.files().values())
