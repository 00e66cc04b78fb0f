"""The orchestrator kit's own tests, as it ships them, with `metaflow` replaced in their imports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.capabilities.deployed import FLOWS, Deployments

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1200)]

KIT = "metaflow-orchestrator-kit==0.1.1"
# Not a documented name of Metaflow.
REPLACED = {
    "from metaflow import metaflow_version": "from airflow_mlflow_provider import __version__",
    "metaflow_version.get_version()": "__version__",
}


def installed_kit(folder: Path) -> Path:
    """The kit's tests in a folder of their own, ported by their imports."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "pip", "install", "--quiet", "--no-deps", "--target", folder, KIT], check=True)
    tests = folder / "metaflow_orchestrator_kit" / "compliance"
    for file in tests.glob("*.py"):
        text = file.read_text()
        for theirs, ours in REPLACED.items():
            text = text.replace(theirs, ours)
        file.write_text(
            re.sub(r"^(\s*)from metaflow\b", r"\1from airflow_mlflow_provider", text, flags=re.MULTILINE)
        )
    return tests


def test_the_kits_own_tests_pass(workers: Deployments, tmp_path: Path) -> None:
    tests = installed_kit(tmp_path / "kit")
    settings = {"AIRFLOW__MLFLOW_PROVIDER__DEFAULT_ENVIRONMENT": "pypi"}
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--import-mode=prepend"),
            *("-c", os.devnull, "--rootdir", str(tests), str(tests)),
            *("--scheduler-type", "airflow", "--exec-mode", "deployer"),
        ],
        cwd=FLOWS,
        env={**os.environ, **workers.settings(), **settings, "PYTHONPATH": str(tmp_path / "kit")},
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    # It skips nested foreach wherever the orchestrator is called airflow; `test_nested_foreach` runs that flow.
    assert re.search(r"\b7 passed, 1 skipped\b", ended.stdout), ended.stdout[-3000:]
