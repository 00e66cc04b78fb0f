"""B3: three steps in a cold process; what importing the package costs."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator

from tests.bench.bench import ROOT, Bench, checked
from tests.bench.outcome import Bar, Figure, at_least, seconds

_IMPORT_SECONDS = 0.1
_IMPORT = """
import time
began = time.perf_counter()
import airflow_mlflow_provider
print(time.perf_counter() - began)
"""
_NO_AIRFLOW = """
import sys
import airflow_mlflow_provider
from airflow_mlflow_provider import FlowSpec, step
import airflow_mlflow_provider.cli.main, airflow_mlflow_provider.cli.run_command, airflow_mlflow_provider.runtime.task
print(sum(name.partition(".")[0] == "airflow" for name in sys.modules))
"""


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with Metaflow; time the import."""
    ours, peer = (bench.side(name) for name in ("ours", "metaflow"))
    samples = bench.alternate(
        lambda: ours.flow("linear").once("run"), lambda: peer.flow("linear").once("run")
    )
    yield at_least("B3", "`run` of a 3-step linear flow, cold process", samples, 3)
    yield _import(bench.rounds)
    imported = int(checked([sys.executable, "-c", _NO_AIRFLOW], cwd=ROOT))
    yield Figure(
        "B3",
        "modules of Airflow imported by a run",
        str(imported),
        "-",
        str(imported),
        Bar("0", imported == 0),
    )


def _import(rounds: int) -> Figure:
    samples = [float(checked([sys.executable, "-c", _IMPORT], cwd=ROOT)) for _ in range(rounds)]
    cost = statistics.median(samples)
    return Figure(
        "B3",
        "`import airflow_mlflow_provider`, in a process that has imported nothing else",
        seconds([cost]),
        "-",
        seconds([cost]),
        Bar("< 100 ms", cost < _IMPORT_SECONDS),
        {"ours": samples},
    )
