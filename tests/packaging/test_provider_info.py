"""What Airflow is told about the provider: one violation of the schema stops every `airflow` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_mlflow_provider.configuration import KEYS
from airflow_mlflow_provider.get_provider_info import get_provider_info
from tests.test_public_names import AIRFLOW_MODULES


@pytest.fixture(scope="module")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Airflow finds nothing of this machine's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return inherited | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}


def airflow(environment: dict[str, str], *arguments: str) -> str:
    completed = subprocess.run(
        [str(Path(sys.executable).with_name("airflow")), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def test_the_metadata_is_valid_against_airflows_schema() -> None:
    schema: dict[str, Any] = json.loads((files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_entry_point_that_airflow_looks_for_gives_the_metadata() -> None:
    (entry,) = (
        entry
        for entry in entry_points(group="apache_airflow_provider")
        if entry.dist is not None and entry.dist.name == "airflow-mlflow-provider"
    )
    assert entry.load()() == get_provider_info()


@pytest.mark.parametrize("kind", ["operators", "sensors", "hooks", "triggers"])
def test_every_module_with_parts_for_users_is_listed(kind: str) -> None:
    (listed,) = get_provider_info()[kind]
    # The decorator is listed as one, and versions of artifacts are records.
    others = {"operators.artifact_decorator", "hooks.artifact_versions"}
    public = {name for name in AIRFLOW_MODULES if name.startswith(f"{kind}.")} - others
    assert public <= {name.partition(".")[2] for name in listed["python-modules"]}


def test_every_key_is_declared_and_only_credentials_are_sensitive() -> None:
    options = get_provider_info()["config"]["mlflow_provider"]["options"]
    assert set(options) == set(KEYS)
    assert {name for name, option in options.items() if option.get("sensitive")} == {
        "api_token",
        "api_password",
    }


def test_every_declared_default_reads_back_as_the_default_of_the_key() -> None:
    for name, option in get_provider_info()["config"]["mlflow_provider"]["options"].items():
        if option["default"] is not None:
            assert KEYS[name].parse(option["default"]) == KEYS[name].default


def test_every_example_is_an_allowed_value() -> None:
    for key in KEYS.values():
        if key.example is not None:
            assert key.parse(key.example) is not None


def test_airflow_lists_the_provider(airflow_environment: dict[str, str]) -> None:
    providers = json.loads(airflow(airflow_environment, "providers", "list", "--output", "json"))
    assert "airflow-mlflow-provider" in {provider["package_name"] for provider in providers}


def test_airflow_knows_the_defaults_and_the_environment_overrides_them(
    airflow_environment: dict[str, str],
) -> None:
    ask = ("config", "get-value", "mlflow_provider", "max_map_width")
    assert airflow(airflow_environment, *ask).split()[-1] == "512"
    changed = airflow_environment | {"AIRFLOW__MLFLOW_PROVIDER__MAX_MAP_WIDTH": "64"}
    assert airflow(changed, *ask).split()[-1] == "64"
