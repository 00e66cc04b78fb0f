"""Steps with packages of their own on Airflow: locked at `airflow create`, built where they run, without an index."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config

import airflow_mlflow_provider
from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.runtime.environments.building import environment_python
from airflow_mlflow_provider.runtime.environments.lock import EnvironmentRequest, Locks
from airflow_mlflow_provider.runtime.environments.platforms import this_platform
from airflow_mlflow_provider.runtime.environments.resolving import resolve
from airflow_mlflow_provider.runtime.environments.wheels import store_wheels
from airflow_mlflow_provider.store.location import open_store
from tests.dag.deployed import Finished
from tests.dag.pods import in_pods
from tests.flow_runs import FlowFile
from tests.kubernetes_standin import KubernetesStandin
from tests.services.dag_test import run_dag
from tests.services.s3 import S3Server

pytestmark = [pytest.mark.slow]

PYPI = ("--environment", "pypi")
NOWHERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_OFFLINE": "1"}
SOURCE = """
    class Environments(FlowSpec):
        @pypi(packages={"docopt": "0.6.2"})
        @step
        def start(self):
            import docopt

            self.first = docopt.__version__
            self.values = [1, 2]
            self.next(self.body, foreach="values")

        @pypi(packages={"tabulate": "0.8.10"})
        @step
        def body(self):
            import tabulate

            try:
                import airflow
            except ImportError:
                self.version = tabulate.__version__
            self.next(self.gather)

        @pypi(packages={"tabulate": "0.9.0"})
        @step
        def gather(self, inputs):
            import tabulate

            self.versions = [each.version for each in inputs] + [tabulate.__version__]
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture
def no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has built no environment, and reaches no index when a task starts."""
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR", str(tmp_path / "machine"))
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)


def test_workers_build_environments_from_the_wheels_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE)
    shared = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
    created = flow.run(
        "create", str(tmp_path / "dag.py"), command="airflow", top=PYPI, environment=shared
    ).succeeded()
    assert "Storing the wheels of body" in created.stderr
    manifest = decode((tmp_path / "dag.json").read_bytes())
    assert sorted(manifest.environments) == ["body", "gather", "start"]
    lock = Locks(flow.ledger.store).get(manifest.environments["start"])
    # docopt has a source archive only; what was built of it takes its place.
    assert all(file.is_wheel for found in lock.packages.values() for p in found for file in p.files)
    request.getfixturevalue("no_index")
    found = Finished.of(manifest, run_dag(build_dag(manifest)))
    assert found.status == "succeeded"
    assert found.artifact("end", "versions") == ["0.8.10", "0.8.10", "0.9.0"]
    assert found.record.environments == manifest.environments


def test_a_dry_run_tells_what_cannot_be_resolved_and_keeps_nothing(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE.replace("0.6.2", "99.0"))
    shared = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
    arguments = ("create", "--dry-run", str(tmp_path / "dag.py"))
    told = flow.run(*arguments, command="airflow", top=PYPI, environment=shared).failed().stderr
    assert "X005" in told
    assert "docopt" in told
    assert not list(flow.ledger.store.list("environments"))


def test_packages_that_nothing_installs_are_refused_by_rule(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE)
    shared = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
    told = flow.run("create", str(tmp_path / "dag.py"), command="airflow", environment=shared).failed().stderr
    assert told.count("X005") == 3
    assert "@pypi of step body" in told


def test_versions_that_exclude_each_other_are_refused_by_rule(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE.replace("0.8.10", "99"))
    shared = {"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
    arguments = ("create", str(tmp_path / "dag.py"))
    told = flow.run(*arguments, command="airflow", top=PYPI, environment=shared).failed().stderr
    assert "X005: The packages of step body cannot be installed together" in told
    assert not (tmp_path / "dag.py").exists()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KubernetesStandin]:
    """A cluster."""
    with KubernetesStandin(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.mark.kubernetes
def test_pods_build_environments_from_the_wheels_of_the_store(
    tmp_path: Path,
    cluster: KubernetesStandin,
    s3_server: S3Server,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = FlowFile(tmp_path / "flow", SOURCE, store=f"s3://{s3_bucket}/flows")
    flow.run("create", str(tmp_path / "dag.py"), command="airflow", top=PYPI).succeeded()
    manifest = in_pods(decode((tmp_path / "dag.json").read_bytes()), s3_server)
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", cluster.airflow_connection)
    keys = {name: value for name, value in s3_server.environment().items() if "KEY" in name}
    api = CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))
    api.create_namespaced_secret("default", {"metadata": {"name": "s3"}, "stringData": {**keys, **NOWHERE}})
    found = Finished.of(manifest, run_dag(build_dag(manifest)))
    assert found.artifact("end", "versions") == ["0.8.10", "0.8.10", "0.9.0"]


def test_a_machine_without_uv_uses_the_one_that_the_deployment_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR", str(tmp_path / "machine"))
    store = open_store((tmp_path / "store").as_uri())
    request = EnvironmentRequest("pypi", "3.11", ("tabulate==0.9.0",), (this_platform(),))
    lock = store_wheels(resolve(request, ("start",), tmp_path, with_uv=True), store)
    digest = Locks(store).put(lock)
    # An environment holds no uv, so its interpreter is such a machine.
    python = environment_python(lock, store)
    program = f"""
from airflow_mlflow_provider.runtime.environments.building import environment_python
from airflow_mlflow_provider.runtime.environments.building import environment_python
from airflow_mlflow_provider.runtime.environments.lock import EnvironmentRequest, Locks
from airflow_mlflow_provider.runtime.environments.platforms import this_platform
from airflow_mlflow_provider.runtime.environments.resolving import resolve
from airflow_mlflow_provider.runtime.environments.wheels import store_wheels
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.runtime.environments.uv_program import installed_uv
from airflow_mlflow_provider.store.location import open_store
assert installed_uv() is None
store = open_store({store.url!r})
print(environment_python(Locks(store).get({digest!r}), store))
"""
    home = tmp_path / "package"
    home.mkdir()
    (home / "airflow_mlflow_provider").symlink_to(Path(airflow_mlflow_provider.__file__).parent)
    elsewhere = {"AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR": str(tmp_path / "other"), "PYTHONPATH": str(home)}
    ended = subprocess.run(
        [python, "-c", program],
        env={"PATH": "/usr/bin:/bin", **elsewhere, **NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    built = Path(ended.stdout.strip())
    assert str(tmp_path / "other") in str(built)
    subprocess.run([built, "-c", "import tabulate"], check=True)
