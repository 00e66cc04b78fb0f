"""What is built and installed: the wheel's contents, and that the dependency lists agree with each other."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from airflow_mlflow_provider.runtime.environments.requests import CORE_REQUIREMENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomli.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    target = tmp_path_factory.mktemp("wheel")
    # The build backend itself, in this environment: no network, no isolation needed.
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = target.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_package_with_its_types_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "airflow_mlflow_provider/py.typed" in names
    assert "airflow_mlflow_provider/configuration/keys.py" in names
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"airflow_mlflow_provider"}
    assert not [name for name in names if "__pycache__" in name or "test_" in name.rpartition("/")[2]]


def test_the_wheel_holds_every_tracked_file_but_the_front_ends_sources(wheel: zipfile.ZipFile) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "airflow_mlflow_provider"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    present = {name for name in listed.stdout.split() if (ROOT / name).exists()}
    missing = present - set(wheel.namelist())
    assert {name for name in missing if not name.startswith("airflow_mlflow_provider/frontend/")} == set()


def test_the_wheel_holds_the_bundles_of_the_front_end_and_not_their_sources(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for bundle in ("cards/static/card.js", "cards/static/vega.js", "plugins/static/views.js"):
        assert f"airflow_mlflow_provider/{bundle}" in names
    assert not [name for name in names if "frontend" in name or "node_modules" in name]


def test_the_wheel_tells_airflow_where_the_metadata_is_and_carries_the_license(
    wheel: zipfile.ZipFile,
) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    text = wheel.read(entry_points).decode()
    assert (
        "[apache_airflow_provider]\nprovider_info = airflow_mlflow_provider.get_provider_info:get_provider_info"
        in text
    )
    assert "airflow-flow = airflow_mlflow_provider.cli.console:main" in text
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())


def test_the_core_group_is_the_dependencies_without_uv_and_those_of_the_airflow_rooms(
    pyproject: dict[str, Any],
) -> None:
    dependencies = pyproject["project"]["dependencies"]
    not_in_pods = {text for text in dependencies if text.startswith(("apache-airflow", "pendulum", "uv>"))}
    assert set(pyproject["dependency-groups"]["core"]) == set(dependencies) - not_in_pods


def test_environments_of_steps_hold_the_core_group(pyproject: dict[str, Any]) -> None:
    assert list(CORE_REQUIREMENTS) == pyproject["dependency-groups"]["core"]


def test_the_examples_extra_is_the_examples_group(pyproject: dict[str, Any]) -> None:
    assert (
        pyproject["project"]["optional-dependencies"]["examples"]
        == pyproject["dependency-groups"]["examples"]
    )


def test_the_step_image_pins_every_core_dependency_to_an_allowed_version_with_hashes(
    pyproject: dict[str, Any],
) -> None:
    text = (ROOT / "docker/step/requirements.txt").read_text().replace("\\\n", " ")
    pinned: dict[str, list[Requirement]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            specification, _, hashes = line.partition("--hash=")
            assert hashes, f"no hash: {line}"
            requirement = Requirement(specification)
            pinned.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    for wanted in map(Requirement, pyproject["dependency-groups"]["core"]):
        versions = [
            next(iter(requirement.specifier)).version
            for requirement in pinned[canonicalize_name(wanted.name)]
        ]
        assert versions
        assert all(wanted.specifier.contains(version) for version in versions), f"{wanted}: run `make lock`"
    assert not [name for name in pinned if "airflow" in name]


def test_every_direct_dependency_is_pinned_in_the_constraints(pyproject: dict[str, Any]) -> None:
    lines = (ROOT / ".ci/constraints.txt").read_text().splitlines()
    pinned = {
        canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")
    }
    groups = [*pyproject["dependency-groups"].values(), pyproject["project"]["dependencies"]]
    direct = {
        canonicalize_name(Requirement(text).name)
        for group in groups
        for text in group
        if isinstance(text, str)
    }
    assert direct - pinned == set(), "run `make lock`"
