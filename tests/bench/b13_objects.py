"""B13: 1,000 objects of 100 kB and ten of 200 MB, put and got, against boto3's transfer manager, s3fs and Metaflow's S3.

All speak to moto's server on this machine, one at a time and each in a process of its own. The server is Python in one process and shares the machine's
processors with the client, so its own work bounds the rate from above: the ratios of wall time understate those of the clients. Seconds of CPU that the
client used are told as well; they do not depend on the server.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.bench.bench import BUILD, ROOT, Bench, BenchFailed, checked, uv
from tests.bench.outcome import Bar, Figure, seconds
from tests.services.s3 import S3Server

_PEERS = {"boto3": "boto3's transfer manager", "s3fs": "s3fs", "metaflow": "metaflow.S3"}
_CLIENT = Path(__file__).with_name("object_clients.py")
_LONGEST_SECONDS = 1800


@dataclass(frozen=True)
class Load:
    """What is transferred.

    Attributes:
        text: For people.
        files: Files that are made.
        size: Bytes of each.
        copies: Objects of each file.
        rounds: Most samples of each client.
    """

    text: str
    files: int
    size: int
    copies: int
    rounds: int


_LOADS = (
    Load("1,000 objects of 100 kB", 1000, 100_000, 1, 5),
    Load("ten objects of 200 MB", 1, 200_000_000, 10, 2),
)


def run(bench: Bench) -> Iterator[Figure]:
    """Compare each load with each peer."""
    clients = Clients(bench)
    for load in _LOADS:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", *_PEERS)}
        for number in range(min(bench.rounds, load.rounds)):
            # Whoever goes first finds a colder machine: take turns.
            order = list(found)[number % len(found) :] + list(found)[: number % len(found)]
            for name in order:
                found[name].append(clients.transfer(name, load))
        for peer, text in _PEERS.items():
            yield _figure(f"{load.text}, put and got; peer: {text}", found["ours"], found[peer])


def _figure(work: str, ours: list[dict[str, float]], peer: list[dict[str, float]]) -> Figure:
    walls = [[each["put"] + each["get"] for each in side] for side in (ours, peer)]
    cpus = [statistics.median(each["cpu"] for each in side) for side in (ours, peer)]
    ratio = statistics.median(walls[1]) / statistics.median(walls[0])
    return Figure(
        "B13",
        work,
        f"{seconds(walls[0])}, CPU {cpus[0]:.1f} s",
        f"{seconds(walls[1])}, CPU {cpus[1]:.1f} s",
        f"{ratio:.1f}x, CPU {cpus[1] / cpus[0]:.1f}x less",
        Bar("≥ 1x faster", ratio >= 1),
        {"ours": walls[0], "peer": walls[1]},
    )


class Clients:
    """Runs the clients, each in its own environment and against a server of its own.

    Args:
        bench: Where Metaflow is, and boto3 with it.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @cached_property
    def _s3fs_python(self) -> str:
        """The interpreter of an environment with s3fs, whose client pins another boto3."""
        folder = BUILD / "s3fs"
        python = folder / "bin" / "python"
        if not python.exists():
            checked([uv(), "venv", "--quiet", "--python", sys.executable, str(folder)])
            checked([uv(), "pip", "install", "--quiet", "--python", str(python), "s3fs"])
        return str(python)

    def transfer(self, client: str, load: Load) -> dict[str, float]:
        """Seconds of putting and getting, and of CPU."""
        python = {"ours": sys.executable, "s3fs": self._s3fs_python}.get(client, self._bench.peer_python)
        folder = Path(tempfile.mkdtemp(prefix="b13-"))
        try:
            files = folder / "files"
            files.mkdir()
            for number in range(load.files):
                (files / f"object-{number}").write_bytes(os.urandom(load.size))
            with S3Server(folder / "s3") as server:
                environment = {
                    **os.environ,
                    **server.environment(),
                    "METAFLOW_S3_ENDPOINT_URL": server.endpoint_url,
                    "METAFLOW_USER": "bench",
                    "PYTHONPATH": str(ROOT) if client == "ours" else "",
                }
                return _measured(
                    [python, str(_CLIENT), client, server.bucket(), str(files), str(load.copies)],
                    environment,
                    folder,
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _measured(command: list[str], environment: dict[str, str], folder: Path) -> dict[str, float]:
    reading, writing = os.pipe()
    with os.fdopen(reading) as answer:
        done = subprocess.run(
            [*command, str(writing)],
            # Metaflow leaves folders where it runs.
            cwd=folder,
            env=environment,
            pass_fds=[writing],
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        os.close(writing)
        if done.returncode != 0:
            raise BenchFailed(f"{' '.join(command)}\n{done.stderr[-2000:]}")
        found: dict[str, float] = json.loads(answer.read())
        return found
