"""`@cache`: what is reused, what is not, and what is said of it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.runtime.step_cache import CachedResult, clear_cache
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
FACTOR = 2

def scaled(x):
    return x * FACTOR

class CachedFlow(FlowSpec):
    n = Parameter("n", default=3)
    label = Parameter("label", default="a")

    @step
    def start(self):
        self.numbers = list(range(self.n))
        self.untouched = self.label
        self.next(self.body, foreach="numbers")

    @cache
    @step
    def body(self):
        print("computed")
        self.value = scaled(self.input) + self.offset()
        self.next(self.join)

    @cache
    @step
    def join(self, inputs):
        print("computed")
        self.values = [one.value for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.seen = getattr(self, "untouched", None)

    def offset(self):
        return 1
"""


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    """The flow above."""
    return FlowFile(tmp_path, SOURCE)


def ran(flow: FlowFile, *options: str) -> FlowRun:
    """A run that has succeeded; its id is looked up now, before another one is the latest."""
    ended = flow.run(*options).succeeded()
    assert ended.run
    return ended


def reused(run: FlowRun, step: str) -> list[bool]:
    """Of each task of a step: whether it reused a result."""
    return [record.metadata["cache"].startswith("hit ") for record in run.records(step)]


def edited(flow: FlowFile, before: str, after: str) -> None:
    """Change the flow's file."""
    text = flow.path.read_text("utf-8")
    assert before in text
    flow.path.write_text(text.replace(before, after), "utf-8")


def test_an_equal_run_computes_nothing_and_says_whose_results_it_has(flow: FlowFile) -> None:
    first = ran(flow)
    again = ran(flow)

    assert reused(first, "body") == [False] * 3
    assert reused(again, "body") == [True] * 3
    assert reused(again, "join") == [True]
    assert again.value("values") == [1, 3, 5]
    assert (
        again.text("body", task="0001")
        == f"Reused from the cache: its inputs are those of {first.done('body', '0001').key.pathspec}."
    )
    record = again.done("body", "0001")
    assert record.metadata["origin-run-id"] == first.run
    assert record.artifacts["value"] == first.done("body", "0001").artifacts["value"]
    # By reference: the attempt has put nothing but its records and its log.
    assert not [n for n in again.ledger.store.children(record.key.prefix) if n.startswith("pack")]


def test_only_the_new_elements_of_a_foreach_run_wherever_they_stand(flow: FlowFile) -> None:
    ran(flow)
    edited(flow, "list(range(self.n))", "[7, *range(self.n)]")
    run = ran(flow)

    assert reused(run, "body") == [False, True, True, True]
    assert reused(run, "join") == [False]
    assert run.value("values") == [15, 1, 3, 5]


def test_what_a_step_has_not_read_does_not_count_and_is_that_of_its_own_run(flow: FlowFile) -> None:
    ran(flow)
    edited(flow, "def end(self):", "def end(self):\n        self.own = self.label")
    run = ran(flow, "--label", "b")

    assert reused(run, "body") == [True] * 3
    assert run.value("own") == "b"
    assert run.value("untouched", "body", "0000") == "b"


@pytest.mark.parametrize(
    ("before", "after", "values"),
    [
        ("x * FACTOR", "x * FACTOR * 10", [1, 21, 41]),
        ("FACTOR = 2", "FACTOR = 3", [1, 4, 7]),
        ("        return 1", "        return 2", [2, 4, 6]),
        ("+ self.offset()", "+ self.offset() + 5", [6, 8, 10]),
    ],
    ids=["function", "module value", "method", "step"],
)
def test_code_that_the_step_reaches_counts(
    flow: FlowFile, before: str, after: str, values: list[int]
) -> None:
    ran(flow)
    edited(flow, before, after)
    run = ran(flow)

    assert reused(run, "body") == [False] * 3
    assert "code changed" in run.done("body", "0000").metadata["cache"]
    assert run.value("values") == values


def test_comments_other_steps_and_policies_do_not_count(flow: FlowFile) -> None:
    ran(flow)
    edited(
        flow,
        '        print("computed")\n        self.value',
        '        # said once\n        print("computed")\n\n        self.value',
    )
    edited(
        flow,
        "    @cache\n    @step\n    def body",
        "    @retry(times=1)\n    @cache\n    @step\n    def body",
    )
    edited(flow, "def end(self):", "def end(self):\n        print('the end')")

    assert reused(ran(flow), "body") == [True] * 3


def test_a_module_of_the_project_counts(flow: FlowFile) -> None:
    (flow.folder / "shifts.py").write_text("from deeper import SHIFT\n", "utf-8")
    (flow.folder / "deeper.py").write_text("SHIFT = 100\n", "utf-8")
    edited(flow, "FACTOR = 2", "from shifts import SHIFT\nFACTOR = 2")
    edited(flow, "return x * FACTOR", "return x * FACTOR + SHIFT")
    assert ran(flow).value("values") == [101, 103, 105]
    (flow.folder / "deeper.py").write_text("SHIFT = 200\n", "utf-8")

    assert ran(flow).value("values") == [201, 203, 205]


def test_a_result_that_is_equal_again_stops_what_follows_from_running(flow: FlowFile) -> None:
    ran(flow)
    edited(flow, "x * FACTOR", "FACTOR * x")
    run = ran(flow)

    assert reused(run, "body") == [False] * 3
    assert reused(run, "join") == [True]


def test_no_cache_runs_everything(flow: FlowFile) -> None:
    ran(flow)
    run = ran(flow, "--no-cache")

    assert all("cache" not in record.metadata for record in run.records("body"))
    assert run.text("body", task="0000") == "computed"


def test_failures_are_never_kept(tmp_path: Path) -> None:
    flow = FlowFile(
        tmp_path,
        """
        class CaughtFlow(FlowSpec):
            @catch(var="error")
            @cache
            @step
            def start(self):
                self.x = 1
                raise ValueError("no")
                self.next(self.end)
            @step
            def end(self):
                pass
        """,
    )
    for _ in range(2):
        assert ran(flow).done("start").outcome == "caught"


def test_version_ignore_and_a_time_to_live_decide(tmp_path: Path) -> None:
    flow = FlowFile(
        tmp_path,
        """
        class LivedFlow(FlowSpec):
            seed = Parameter("seed", default=1)
            @cache(version=1, ignore=["seed"], ttl="10m")
            @step
            def start(self):
                self.x = self.seed
                self.next(self.end)
            @step
            def end(self):
                pass
        """,
    )
    ran(flow)
    assert ran(flow, "--seed", "2").value("x") == 1
    edited(flow, "version=1", "version=2")
    run = ran(flow, "--seed", "3")
    assert run.value("x") == 3
    assert "version changed" in run.done("start").metadata["cache"]
    # As if the ten minutes were over.
    store = flow.ledger.store
    for item in list(store.list("cache/LivedFlow/start")):
        if b'"produced"' in store.get(item.key):
            kept = msgspec.json.decode(store.get(item.key), type=CachedResult)
            store.put(
                item.key, msgspec.json.encode(msgspec.structs.replace(kept, created_at=time.time() - 601))
            )
    run = ran(flow, "--seed", "4")
    assert run.value("x") == 4
    assert "older than the time to live" in run.done("start").metadata["cache"]


def test_damaged_entries_are_no_results(flow: FlowFile) -> None:
    ran(flow)
    store = flow.ledger.store
    for item in list(store.list("cache")):
        store.put(item.key, b"\xff{")

    assert reused(ran(flow), "body") == [False] * 3


def test_the_commands_explain_and_forget(flow: FlowFile) -> None:
    first, again = ran(flow), ran(flow)
    explained = flow.run("explain", f"{again.run}/body", command="cache").succeeded()
    assert f"body/0002  hit   the result of {first.done('body', '0002').key.pathspec}" in explained.stdout
    missed = flow.run("explain", f"{first.run}/body/0000", command="cache").succeeded()
    as_json = flow.run("explain", f"{again.run}/body", "--as-json", command="cache").succeeded().stdout
    assert [one["verdict"] for one in json.loads(as_json)].count("hit") == explained.stdout.count(" hit ")
    assert "miss  nothing has been kept yet" in missed.stdout
    nothing = flow.run("explain", f"{first.run}/end", command="cache").failed()
    assert "Only steps with @cache" in nothing.stderr

    assert "0 results" in flow.run("clear", "--older-than", "1h", command="cache").succeeded().stdout
    assert "3 results" in flow.run("clear", "body", command="cache").succeeded().stdout
    run = ran(flow)
    assert (reused(run, "body"), reused(run, "join")) == ([False] * 3, [True])
    assert "no step 'nowhere'" in flow.run("clear", "nowhere", command="cache").failed().stderr
    assert clear_cache(flow.ledger, "CachedFlow") == 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "s3"])
def test_runs_of_airflow_and_of_here_share_results_that_are_explained_and_forgotten(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from airflow_mlflow_provider.dag import build_dag
    from tests.dag.deployed import Finished, manifest_from
    from tests.services.dag_test import run_dag

    store = f"s3://{request.getfixturevalue('s3_bucket')}/store" if kind == "s3" else ""
    flow = FlowFile(tmp_path, SOURCE, store)
    dag = build_dag(manifest_from(flow.path, flow.store))

    def run_in_airflow() -> Finished:
        return Finished.of(manifest_from(flow.path, flow.store), run_dag(dag))

    def explained(run: str, path: str) -> str:
        return flow.run("explain", f"{run}/{path}", command="cache").succeeded().stdout

    here, there = ran(flow), run_in_airflow()
    assert there.artifact("join", "values") == [1, 3, 5]
    result = f"hit   the result of {here.done('body', '0002').key.pathspec}"
    assert f"body/0002  {result}" in explained(there.run, "body")
    assert "1 result forgotten" in flow.run("clear", "join", command="cache").succeeded().stdout
    edited(flow, "FACTOR = 2", "FACTOR = 3")
    dag = build_dag(manifest_from(flow.path, flow.store))
    changed = run_in_airflow()
    assert changed.artifact("join", "values") == [1, 4, 7]
    assert f"miss  compared with {here.done('body', '0001').key.pathspec}: code changed" in explained(
        changed.run, "body/0001"
    )
    assert "miss" in explained(changed.run, "join")
    again = ran(flow)
    assert again.value("values", "join") == [1, 4, 7]
    assert f"hit   the result of CachedFlow/{changed.run}/join/0" in explained(again.run, "join")
    # Two codes of three splits, and the join of the second one.
    assert "7 results forgotten" in flow.run("clear", command="cache").succeeded().stdout
    assert not [item.key for item in flow.ledger.store.list("cache")]
    assert reused(ran(flow), "body") == [False] * 3


def test_runs_at_once_share_results_and_each_has_its_own(flow: FlowFile) -> None:
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda n: flow.run("--n", str(n)).succeeded(), (2, 3, 4)))

    found = {}
    for run in flow.ledger.runs("CachedFlow"):
        record = flow.ledger.newest_done("CachedFlow", run, "end", "0")
        assert record is not None
        join = flow.ledger.newest_done("CachedFlow", run, "join", "0")
        assert join is not None
        values = ArtifactReader(flow.ledger.store).load("values", join.artifacts["values"])
        found[flow.ledger.run("CachedFlow", run).parameters["n"]] = values
    assert found == {2: [1, 3], 3: [1, 3, 5], 4: [1, 3, 5, 7]}
