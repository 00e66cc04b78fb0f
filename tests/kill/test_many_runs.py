"""Two flows of one name, many runs at once, one store: every run keeps to itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.kill.runs import FlowProcess, Records
from tests.services.s3 import S3Server

FLOWS = Path(__file__).parent / "flows"
FLOW = "TwinFlow"
# So many start at the same instant, again and again; the machine decides how many of them run at once.
TOGETHER = 20


def expected(number: int) -> tuple[str, list[int]]:
    """Kind and values of the run with this number: the flows take turns."""
    return ("negated", [-number, number]) if number % 2 else ("doubled", [2 * number, 2 * number + 2])


@pytest.mark.parametrize("runs", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_runs_of_two_flows_of_one_name_never_collide_in_a_folder(runs: int, tmp_path: Path) -> None:
    _check((tmp_path / "store").as_uri(), runs, tmp_path)


@pytest.mark.slow
def test_runs_of_two_flows_of_one_name_never_collide_on_s3(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    _check(f"s3://{s3_bucket}/flows", 40, tmp_path)


def _check(store_url: str, runs: int, folder: Path) -> None:
    ids = list(_run_all(store_url, runs, folder))
    assert len(set(ids)) == runs
    store = open_store(store_url, cache=None)
    ledger, reader = Ledger(store), ArtifactReader(store)
    assert set(ledger.runs(FLOW)) == set(ids)
    assert set(ledger.latest(FLOW, runs, successful=True)) == set(ids)
    for number, run in enumerate(ids):
        end = ledger.newest_done(FLOW, run, "end", "0")
        assert end is not None
        found = {name: reader.load(name, end.artifacts[name]) for name in ("kind", "values", "number")}
        assert (found["kind"], found["values"]) == expected(number)
        assert found["number"] == number
        assert ledger.run(FLOW, run).parameters == {"number": number}
    Records(store).check()
    store.close()


def _run_all(store: str, runs: int, folder: Path) -> Iterator[str]:
    """Run all, each twin in turn; the ids in the order of the numbers."""
    start = Barrier(TOGETHER)

    def run(number: int) -> str:
        file = FLOWS / ("two" if number % 2 else "one") / "twin_flow.py"
        run_id_file = folder / f"run_id_{number}"
        arguments = ["--quiet", "--datastore-root", store, "run", "--run-id-file", str(run_id_file)]
        start.wait()
        with FlowProcess([*arguments, "--number", str(number)], folder, file) as flow:
            assert flow.wait() == 0, flow.text()
        return run_id_file.read_text()

    assert runs % TOGETHER == 0
    with ThreadPoolExecutor(TOGETHER) as threads:
        yield from threads.map(run, range(runs))
