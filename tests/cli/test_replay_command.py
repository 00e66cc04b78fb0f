"""`replay`: the run's own code, its parameters and configs, and what is said of the results."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.flow_runs import FlowFile

SOURCE = """
import uuid

class ReplayedFlow(FlowSpec):
    n = Parameter("n", default=2)
    conf = Config("conf", default_value={"factor": 1})

    @step
    def start(self):
        self.numbers = list(range(self.n))
        self.next(self.body, foreach="numbers")

    @step
    def body(self):
        self.value = self.input * self.conf.factor
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.value for one in inputs)
        self.chance = str(uuid.uuid4()) if self.n == 3 else "none"
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    """The flow above."""
    return FlowFile(tmp_path, SOURCE)


def test_a_replay_runs_the_old_code_with_the_old_parameters_and_configs_and_finds_all_equal(
    flow: FlowFile,
) -> None:
    origin = flow.run("--n", "4", top=("--config-value", "conf", '{"factor": 5}')).succeeded()
    origin_run = origin.run
    flow.path.write_text(flow.path.read_text("utf-8").replace("self.input *", "1000 + self.input *"), "utf-8")
    again = flow.run(origin_run, "--compare", "--tag", "replayed", command="replay").succeeded()
    assert again.run != origin_run
    assert again.value("total") == (0 + 1 + 2 + 3) * 5
    assert again.record.tags == ("replayed",)
    assert again.record.origin == origin_run
    assert "7 tasks compared, all equal." in again.stdout


def test_what_differs_is_named_and_gives_an_exit_code(flow: FlowFile) -> None:
    origin = flow.run("--n", "3").succeeded()
    again = flow.run(origin.run, "--compare", command="replay").failed()
    assert again.end.status == "succeeded"
    assert "join/0  different: chance" in again.stdout
    assert "6 tasks compared, 2 differ." in again.stdout


def test_from_a_step_what_is_before_it_is_taken_over_and_not_compared(flow: FlowFile) -> None:
    origin = flow.run().succeeded()
    again = flow.run(
        f"ReplayedFlow/{origin.run}", "--from", "join", "--compare", command="replay"
    ).succeeded()
    assert "2 tasks compared, all equal." in again.stdout
    assert all(record.key.run != again.run for record in again.records("body"))


def test_a_run_or_step_that_does_not_exist_is_said(flow: FlowFile) -> None:
    origin = flow.run().succeeded()
    assert f"Latest runs: {origin.run}" in flow.run("no-such-run", command="replay").failed().stderr
    assert (
        "Name one of start, body, join, end"
        in flow.run(origin.run, "--from", "boby", command="replay").failed().stderr
    )


def test_a_replay_is_told_of_the_events_that_started_the_origin(tmp_path: Path) -> None:
    source = """
    @trigger(event="loaded")
    class ToldFlow(FlowSpec):
        @step
        def start(self):
            self.event = [current.trigger.event.name, current.trigger.event.id]
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    flow = FlowFile(tmp_path, source)
    origin = flow.run(top=["--trigger-event", 'loaded:{"level": 7}']).succeeded()
    origin_run = origin.run
    again = flow.run(origin_run, "--compare", command="replay").succeeded()
    assert again.run != origin_run
    assert again.value("event", "start")[0] == "loaded"
    assert again.record.trigger == flow.ledger.run(flow.flow, origin_run).trigger
    assert "all equal" in again.stdout


def test_a_run_on_s3_is_replayed_there(tmp_path: Path, s3_bucket: str) -> None:
    flow = FlowFile(tmp_path, SOURCE, f"s3://{s3_bucket}/store")
    origin = flow.run("--n", "2", top=("--config-value", "conf", '{"factor": 5}')).succeeded().run
    again = flow.run(origin, "--compare", command="replay").succeeded()
    assert "5 tasks compared, all equal." in again.stdout
    assert again.value("total", "join") == 5


@pytest.mark.slow
def test_a_run_of_airflow_is_replayed_here(tmp_path: Path) -> None:
    from airflow_mlflow_provider.dag import build_dag
    from airflow_mlflow_provider.runtime.package import build_package
    from tests.dag.deployed import Finished, manifest_from
    from tests.services.dag_test import run_dag

    flow = FlowFile(tmp_path, SOURCE)
    package = build_package(flow.path)
    flow.ledger.put_code(package.digest, package.data)
    bundled = manifest_from(flow.path, flow.store)
    code = msgspec.structs.replace(
        bundled.code, digest=package.digest, script=package.script, source="package", path=""
    )
    manifest = msgspec.structs.replace(bundled, code=code, configs={"conf": {"factor": 7}})
    origin = Finished.of(manifest, run_dag(build_dag(manifest), {"n": 4})).run
    flow.path.write_text(flow.path.read_text("utf-8").replace("self.input *", "1000 + self.input *"), "utf-8")
    again = flow.run(origin, "--compare", command="replay").succeeded()
    assert "7 tasks compared, all equal." in again.stdout
    assert again.value("total", "join") == (0 + 1 + 2 + 3) * 7
    assert again.record.origin == origin
