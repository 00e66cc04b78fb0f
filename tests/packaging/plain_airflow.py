"""An Airflow as a user has it who has typed `pip install airflow-mlflow-provider`: the wheel, and nothing of this repository."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.services.airflow import LiveAirflow
from tests.services.airflow_database import clean_environment, migrate

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 600


def build_wheel(target: Path) -> Path:
    """The wheel of this repository."""
    # The build backend itself, in this environment: no network, no isolation needed.
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = target.glob("*.whl")
    return path


class Installation:
    """A virtual environment with Airflow and the wheel.

    Args:
        folder: where it goes.
        wheel: the provider's wheel.
        airflow: a version of Airflow such as `3.1.*`; None for the one that this repository is tested with.
        *more: other packages.
    """

    def __init__(self, folder: Path, wheel: Path, airflow: str | None = None, *more: str) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        uv = str(Path(sys.executable).with_name("uv"))
        self._run(uv, "venv", "--quiet", "--python", sys.executable, str(folder))
        wanted = [f"apache-airflow=={airflow}"] if airflow else ["-c", str(ROOT / ".ci" / "constraints.txt")]
        self._run(uv, "pip", "install", "--quiet", "--python", str(self.python), str(wheel), *more, *wanted)

    def environment(self, home: Path) -> dict[str, str]:
        """Nothing is set but Airflow's home."""
        return {
            **clean_environment(),
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "AIRFLOW_HOME": str(home),
            "PYTHONPATH": "",
        }

    def airflow(self, home: Path, *arguments: str) -> str:
        """What an `airflow` command prints."""
        return self._run(str(self.python), "-m", "airflow", *arguments, environment=self.environment(home))

    def program(self, home: Path, source: str) -> str:
        """What a program prints."""
        return self._run(str(self.python), "-c", source, environment=self.environment(home))

    def flow(self, home: Path, file: Path, *arguments: str) -> str:
        """What a flow's own command prints."""
        mine = {"METAFLOW_USER": "me", "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true"}
        environment = {**self.environment(home), **mine}
        return self._run(str(self.python), str(file), *arguments, environment=environment)

    @staticmethod
    def _run(*command: str, environment: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            command,
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
        return done.stdout


class PlainAirflow(LiveAirflow):
    """A live Airflow of an installation; this repository is not on its path."""

    def __init__(
        self, installation: Installation, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(directory, environment=environment)
        self.python = installation.python

    def _make_sqlite(self, path: Path) -> None:
        migrate(f"sqlite:///{path}", {"PYTHONPATH": ""}, self.python)

    def _settings(self, port: int) -> dict[str, str]:
        settings = super()._settings(port)
        del settings["AIRFLOW__CORE__AUTH_MANAGER"]
        return settings | {"PYTHONPATH": ""}
