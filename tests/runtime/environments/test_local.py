"""Steps with packages of their own, installed from the package index, on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_mlflow_provider.runtime.environments.building import environment_python
from airflow_mlflow_provider.runtime.environments.lock import EnvironmentRequest, Locks
from airflow_mlflow_provider.runtime.environments.platforms import this_platform
from airflow_mlflow_provider.runtime.environments.resolving import resolve
from airflow_mlflow_provider.runtime.environments.uv_program import required_uv
from airflow_mlflow_provider.store.location import open_store
from tests.flow_runs import FlowFile, FlowRun

PYPI = ("--environment", "pypi")
SOURCE = """
    import sys

    @pypi_base(packages={"tabulate": "0.9.0"})
    class Tables(FlowSpec):
        @step
        def start(self):
            import tabulate

            self.version = tabulate.__version__
            self.values = ["a", "b"]
            self.next(self.body, foreach="values")

        @pypi(packages={"Tabulate": "==0.8.10"})
        @step
        def body(self):
            import tabulate

            self.version = tabulate.__version__
            try:
                import pandas
            except ImportError:
                self.isolated = True
            self.next(self.gather)

        @pypi(disabled=True)
        @step
        def gather(self, inputs):
            self.versions = [(each.input, each.version, each.isolated) for each in inputs]
            self.interpreter = sys.executable
            self.next(self.end)

        @pypi(disabled=True)
        @step
        def end(self):
            pass
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A machine that has built no environment yet."""
    return {"AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR": str(tmp_path_factory.mktemp("machine"))}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, machine: Mapping[str, str]) -> tuple[FlowFile, FlowRun]:
    """A run of the flow with two versions of one package."""
    flow = FlowFile(tmp_path_factory.mktemp("flow"), SOURCE)
    return flow, flow.run(top=PYPI, environment=machine).succeeded()


def test_two_steps_of_one_flow_import_different_versions_of_one_package(
    run: tuple[FlowFile, FlowRun],
) -> None:
    _, found = run
    assert found.value("version", "start") == "0.9.0"
    assert found.value("versions") == [("a", "0.8.10", True), ("b", "0.8.10", True)]


def test_a_step_that_opts_out_runs_in_the_interpreter_at_hand(run: tuple[FlowFile, FlowRun]) -> None:
    _, found = run
    assert found.value("interpreter") == sys.executable


def test_the_lock_is_stored_with_the_run_and_told_by_the_client(run: tuple[FlowFile, FlowRun]) -> None:
    from airflow_mlflow_provider.client import Step, metadata

    flow, found = run
    locks = found.record.environments
    assert sorted(locks) == ["body", "start"]
    lock = Locks(found.ledger.store).get(locks["body"])
    (package,) = (p for p in lock.packages[this_platform()] if p.name == "tabulate")
    assert package.version == "0.8.10"
    assert all(len(file.sha256) == 64 for file in package.files)
    metadata(flow.store)
    info = Step(f"Tables/{found.run}/body", _namespace_check=False).environment_info
    assert info is not None
    assert (info["type"], info["lock"], info["packages"]["tabulate"]) == ("pypi", locks["body"], "0.8.10")
    end = Step(f"Tables/{found.run}/end", _namespace_check=False).environment_info
    assert end is not None
    assert "lock" not in end


def test_a_second_run_has_the_same_locks_without_an_index(
    run: tuple[FlowFile, FlowRun], machine: Mapping[str, str]
) -> None:
    flow, first = run
    nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_OFFLINE": "1"}
    again = flow.run(top=PYPI, environment={**machine, **nowhere}).succeeded()
    assert again.record.environments == first.record.environments
    assert "Building" not in again.stderr


def test_a_resumed_run_goes_on_in_the_same_environments(
    run: tuple[FlowFile, FlowRun], machine: Mapping[str, str]
) -> None:
    flow, first = run
    options = ("body", "--origin-run-id", first.run)
    resumed = flow.run(*options, command="resume", top=PYPI, environment=machine).succeeded()
    assert resumed.record.environments == first.record.environments
    assert resumed.value("versions") == first.value("versions")


def test_packages_without_an_environment_to_install_them_are_refused(run: tuple[FlowFile, FlowRun]) -> None:
    told = run[0].run().failed().stderr
    assert "Step start has @pypi_base" in told
    assert "--environment pypi" in told


def test_a_package_without_a_version_is_refused(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, SOURCE.replace('"==0.8.10"', '""'))
    told = flow.run(top=PYPI).failed().stderr
    assert "Step body asks for the package Tabulate without a version." in told


@pytest.mark.slow
def test_versions_that_exclude_each_other_are_told_in_plain_words(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, SOURCE.replace('"==0.8.10"', '">=0.9,<0.8"'))
    told = flow.run(top=PYPI).failed().stderr
    assert "Invalid environment: The packages of step body cannot be installed together" in told
    assert "tabulate" in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, SOURCE.replace('"==0.8.10"}', '"==0.8.10"}, python="3.10.1"'))
    told = flow.run(top=PYPI).failed().stderr
    assert "needs Python 3.10.1, and this machine has no such interpreter" in told


MISSING = """
    class Missing(FlowSpec):
        @pypi(packages={"humanize": "4.9.0"})
        @step
        def start(self):
            from humanize import naturalsize

            self.format = {"call": naturalsize}
            self.next(self.end)

        @step
        def end(self):
            print(self.format)
"""


@pytest.mark.slow
def test_a_value_of_a_module_that_is_missing_names_the_step_that_wrote_it_and_its_lock(
    tmp_path: Path, machine: Mapping[str, str]
) -> None:
    run = FlowFile(tmp_path, MISSING).run(top=PYPI, environment=machine).failed()
    error = run.error("end")
    assert "The artifact 'format'" in error
    assert "the module 'humanize' is not installed here" in error
    assert f"written by step start (Missing/{run.run}/start/0)" in error
    assert run.record.environments["start"] in error


@pytest.mark.slow
def test_a_flow_file_that_cannot_be_imported_in_the_environment_says_so_in_the_log(
    tmp_path: Path, machine: Mapping[str, str]
) -> None:
    flow = FlowFile(tmp_path, "import pandas\n\n" + "\n".join(line[4:] for line in MISSING.splitlines()))
    run = flow.run(top=PYPI, environment=machine).failed()
    assert "could not be imported in the step's environment: ModuleNotFoundError" in run.error("start")
    assert "No module named 'pandas'" in run.text("start", "stderr")


@pytest.mark.slow
def test_an_environment_is_built_once_however_many_processes_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR", str(tmp_path / "machine"))
    store = open_store((tmp_path / "store").as_uri())
    request = EnvironmentRequest("pypi", "3.11", ("humanize==4.9.0",), (this_platform(),))
    lock = resolve(request, ("start",), tmp_path)
    built: list[int] = []
    with ThreadPoolExecutor(6) as threads:
        found = list(
            threads.map(lambda n: environment_python(lock, store, lambda: built.append(n)), range(6))
        )
    assert len(set(found)) == 1
    assert len(built) == 1
    version = subprocess.run(
        [found[0], "-c", "import humanize; print(humanize.__version__)"], capture_output=True, check=True
    )
    assert version.stdout.decode().strip() == "4.9.0"


PROJECT = """
    class Locked(FlowSpec):
        @step
        def start(self):
            import tabulate

            self.version = tabulate.__version__
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.slow
def test_a_project_of_uv_is_found_upward_and_its_lock_is_what_is_installed(
    tmp_path: Path, machine: Mapping[str, str]
) -> None:
    flow = FlowFile(tmp_path / "flows", PROJECT)
    missing = flow.run(top=("--environment", "uv")).failed().stderr
    assert "pyproject.toml" in missing
    project = '[project]\nname = "p"\nversion = "0"\nrequires-python = ">=3.10"\ndependencies = ["tabulate==0.8.9"]\n'
    (tmp_path / "pyproject.toml").write_text(project)
    assert "uv.lock" in flow.run(top=("--environment", "uv")).failed().stderr
    subprocess.run([required_uv(), "lock", "--quiet"], cwd=tmp_path, check=True)
    # Frozen: the lock counts, whatever the project says since.
    (tmp_path / "pyproject.toml").write_text(project.replace("0.8.9", "0.9.0"))
    run = flow.run(top=("--environment", "uv"), environment=machine).succeeded()
    assert run.value("version") == "0.8.9"
    assert set(run.record.environments) == {"start", "end"}
    listed = flow.run("list", command="package", top=("--environment", "uv")).succeeded().stdout
    assert "uv.lock" in listed
