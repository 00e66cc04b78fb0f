"""B12: `Flow("X").latest_run` where the flow has 5,000 runs, and the requests it takes on S3 however many there are."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunRecord
from tests.bench.bench import Bench, FlowCopy, checked
from tests.bench.outcome import Bar, Figure, seconds
from tests.services.s3 import S3Server

_RUNS = 5_000
_FEW, _MANY = 20, 1_000
_MOST_S = 0.010
_ASK = """
import time
from {package} import Flow, namespace
namespace(None)
began = time.perf_counter()
run = Flow("Linear").latest_run
took = time.perf_counter() - began
print(took, run.id)
"""


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with Metaflow, each asked first thing in a fresh process."""
    ours, peer = (bench.side(name).flow("linear") for name in ("ours", "metaflow"))
    for flow in (ours, peer):
        flow.seconds("run")
    _fill(ours.store.as_uri(), _RUNS)
    _multiply(peer.store / "Linear")
    samples = bench.alternate(lambda: _latest(ours), lambda: _latest(peer))
    for flow in (ours, peer):
        flow.remove()
    yield Figure(
        "B12",
        f"`Flow(…).latest_run` with {_RUNS:,} runs in a folder, first call of a process",
        seconds(samples.ours),
        seconds(samples.peer),
        f"{samples.ratio:.1f}x",
        Bar(f"≤ {_MOST_S * 1000:.0f} ms", statistics.median(samples.ours) <= _MOST_S),
        samples.raw,
    )
    few, many = _requests(bench, _FEW), _requests(bench, _MANY)
    yield Figure(
        "B12",
        f"S3 requests of `latest_run` with {_FEW} and with {_MANY:,} runs",
        f"{few} and {many}",
        "-",
        str(many),
        Bar("the same for any number of runs", few == many),
        {"ours": [few, many]},
    )


def _fill(url: str, runs: int, environment: Mapping[str, str] | None = None) -> None:
    """Write the records of so many runs, the last of them the newest."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        store = open_store(url, cache=None)
        ledger = Ledger(store)
        for number in range(runs):
            ledger.create_run(RunRecord("Linear", f"m{number}", 1.7e9 + number, "bench", {}, "digest"))
        store.close()


def _multiply(flow: Path) -> None:
    """Copies of the one run that Metaflow has made, under ids and times of their own."""
    (made,) = (each for each in flow.iterdir() if each.name.isdigit())
    facts = json.loads((made / "_meta" / "_self.json").read_text())
    for number in range(_RUNS - 1):
        name = str(int(made.name) - 1 - number)
        shutil.copytree(made / "_meta", flow / name / "_meta")
        fields = {**facts, "run_number": name, "ts_epoch": facts["ts_epoch"] - 1000 * (number + 1)}
        (flow / name / "_meta" / "_self.json").write_text(json.dumps(fields))


def _latest(flow: FlowCopy, environment: Mapping[str, str] | None = None) -> float:
    package = "airflow_mlflow_provider" if flow.side.name == "ours" else "metaflow"
    told = checked(
        [flow.side.python, "-c", _ASK.format(package=package)],
        cwd=flow.folder,
        environment=flow.environment(environment),
    )
    return float(told.split()[0])


def _requests(bench: Bench, runs: int) -> int:
    with S3Server() as server:
        bucket = server.bucket()
        root = f"s3://{bucket}/ours"
        _fill(root, runs, server.environment())
        before = server.counts(bucket).total()
        flow = bench.side("ours").flow("linear")
        environment = {**server.environment(), "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": root}
        _latest(flow, environment)
        flow.remove()
        return server.counts(bucket).total() - before
