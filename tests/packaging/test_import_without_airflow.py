"""The light core works where Airflow is not installed, and imports no Airflow where it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "airflow_mlflow_provider"
AIRFLOW_ROOMS = {
    "dag",
    "operators",
    "sensors",
    "triggers",
    "hooks",
    "xcom",
    "assets",
    "notifications",
    "plugins",
}

# Refuses Airflow to every import, as a machine without it would, and says which modules were asked for.
BLOCKER = """
import sys
class NoAirflow:
    def find_spec(self, name, path=None, target=None):
        if name == "airflow" or name.startswith("airflow."):
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)
sys.meta_path.insert(0, NoAirflow())
"""


def modules_outside_the_airflow_rooms() -> list[str]:
    names = []
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in AIRFLOW_ROOMS and parts[-1] != "__main__":
            names.append(".".join(("airflow_mlflow_provider", *parts)).removesuffix(".__init__"))
    return names


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_module_outside_the_airflow_rooms_imports_without_airflow() -> None:
    names = modules_outside_the_airflow_rooms()
    assert "airflow_mlflow_provider.configuration.reader" in names
    completed = python(
        f"{BLOCKER}\nimport importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n"
    )
    assert completed.returncode == 0, completed.stderr


@pytest.mark.parametrize("module", ["airflow_mlflow_provider", "airflow_mlflow_provider.configuration"])
def test_the_import_loads_neither_airflow_nor_what_is_heavy(module: str) -> None:
    heavy = {
        "airflow",
        "numpy",
        "pandas",
        "pyarrow",
        "obstore",
        "kubernetes",
        "boto3",
        "httpx",
        "rich",
        "click",
    }
    program = f"import sys, {module}\nprint(*{{name.split('.')[0] for name in sys.modules}} & {heavy!r})"
    completed = python(program)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.split() == []
