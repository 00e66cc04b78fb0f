"""What benchmarks share: both sides as commands on copies of one flow, run alternately."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.bench.outcome import Samples

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
FLOWS = Path(__file__).parent / "flows"
METAFLOW = "metaflow>=2.19,<2.20"
_PEERS = (METAFLOW, "numpy", "pandas")
_LONGEST_SECONDS = 3600.0


class BenchFailed(Exception):
    """A command of a benchmark failed."""


@dataclass(frozen=True)
class Bench:
    """How benchmarks are run.

    Attributes:
        rounds: Samples of each side.
    """

    rounds: int

    @cached_property
    def peer_python(self) -> str:
        """The interpreter of the environment that holds Metaflow from PyPI; made once, by uv."""
        folder = BUILD / "metaflow"
        python = folder / "bin" / "python"
        if not python.exists():
            checked([uv(), "venv", "--quiet", "--python", sys.executable, str(folder)])
            checked([uv(), "pip", "install", "--quiet", "--python", str(python), *_PEERS])
        return str(python)

    def side(self, name: str) -> Side:
        """`ours` or `metaflow`."""
        return Side(name, sys.executable if name == "ours" else self.peer_python)

    def alternate(
        self, ours: Callable[[], float], peer: Callable[[], float], rounds: int | None = None
    ) -> Samples:
        """Samples of both sides, taken in turns."""
        samples = Samples([], [])
        for number in range(rounds or self.rounds):
            # Whoever goes second finds warmer caches: take turns at that, too.
            order = [(ours, samples.ours), (peer, samples.peer)]
            for measure, found in order if number % 2 == 0 else reversed(order):
                found.append(measure())
        return samples


@dataclass(frozen=True)
class Side:
    """One side: an interpreter with its package.

    Attributes:
        name: `ours` or `metaflow`.
        python: The interpreter.
    """

    name: str
    python: str

    def flow(self, name: str) -> FlowCopy:
        """A flow of `flows/` for this side, in a fresh folder."""
        folder = BUILD / "work" / f"{self.name}-{name}-{os.getpid()}-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        package = "airflow_mlflow_provider" if self.name == "ours" else "metaflow"
        text = (
            (FLOWS / f"{name}.py")
            .read_text("utf-8")
            .replace("from metaflow import", f"from {package} import")
        )
        (folder / f"{name}.py").write_text(text, "utf-8")
        return FlowCopy(self, folder, f"{name}.py")


@dataclass(frozen=True)
class FlowCopy:
    """A flow's file in a folder of its own, with its store.

    Attributes:
        side: Whose it is.
        folder: Where it is, and where it runs.
        script: Name of the file.
    """

    side: Side
    folder: Path
    script: str

    @property
    def store(self) -> Path:
        """Folder of the local store."""
        return self.folder / (".mlflow_provider" if self.side.name == "ours" else ".metaflow")

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [self.side.python, self.script, *arguments]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the command: that of this process, and nothing of Airflow's or Metaflow's."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "METAFLOW"))
        }
        return {**kept, "METAFLOW_USER": "bench", "USERNAME": "bench", **(extra or {})}

    def seconds(
        self, *arguments: str, environment: Mapping[str, str] | None = None, expected: int = 0
    ) -> float:
        """Run a command to its end; how long that took."""
        begun = time.perf_counter()
        checked(
            self.command(*arguments),
            cwd=self.folder,
            environment=self.environment(environment),
            expected=expected,
        )
        return time.perf_counter() - begun

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)

    def once(self, *arguments: str) -> float:
        """Run a command in a folder that nothing else has used, and delete that."""
        try:
            return self.seconds(*arguments)
        finally:
            self.remove()


def checked(
    command: list[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    expected: int = 0,
) -> str:
    """Run a command; its standard output.

    Raises:
        BenchFailed: It ended with another exit code than expected.
    """
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=None if environment is None else dict(environment),
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    if ended.returncode != expected:
        raise BenchFailed(
            f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        )
    return ended.stdout


def uv() -> str:
    """uv, from the machine or from where `.ci/bootstrap` has put it."""
    own = ROOT / ".venv" / ".tools" / "bin" / "uv"
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found is None:
        raise BenchFailed(
            "The benchmarks install their peers with uv; `make bench` brings it, or install it on the PATH."
        )
    return found
