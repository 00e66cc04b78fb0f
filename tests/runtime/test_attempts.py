"""`@retry`, `@catch`, `@timeout` and dying processes in a local run."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.exception import FailureHandledByCatch
from tests.flow_runs import FlowFile, FlowRun

SOURCE = """
    import ctypes
    import os
    import signal
    import sys
    import time


    class Attempts(FlowSpec):
        @step
        def start(self):
            self.seen = "inherited"
            self.next(self.retried, self.caught, self.crashed, self.late, self.stuck, self.oom)

        @retry(times=2)
        @step
        def retried(self):
            self.found = (current.retry_count, self.seen, getattr(self, "left", None))
            self.left = "by an earlier attempt"
            self.seen = "changed"
            if current.retry_count < 2:
                raise ValueError(f"attempt {current.retry_count}")
            self.next(self.join)

        @catch(var="problem")
        @retry(times=1)
        @step
        def caught(self):
            self.set_before = 1
            raise KeyError("not to be")
            self.next(self.join)

        @catch(var="problem")
        @retry(times=1)
        @step
        def crashed(self):
            self.lost = 1
            ctypes.string_at(0)
            self.next(self.join)

        @catch(var="problem")
        @timeout(seconds=1)
        @step
        def late(self):
            time.sleep(60)
            self.next(self.join)

        @catch(var="problem")
        @timeout(seconds=1)
        @step
        def stuck(self):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(60)
            self.next(self.join)

        @catch(var="problem")
        @step
        def oom(self):
            os.kill(os.getpid(), signal.SIGKILL)
            self.next(self.join)

        @step
        def join(self, inputs):
            names = ("caught", "crashed", "late", "stuck", "oom")
            self.problems = {name: getattr(inputs, name).problem for name in names}
            self.merge_artifacts(inputs, include=["found"])
            self.next(self.end)

        @catch(var="problem")
        @step
        def end(self):
            pass
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    environment = {"AIRFLOW__MLFLOW_PROVIDER__TIMEOUT_GRACE_S": "1"}
    flow = FlowFile(tmp_path_factory.mktemp("attempts"), SOURCE)
    return flow.run(environment=environment).succeeded()


def test_a_retry_sees_the_inputs_and_nothing_of_the_attempt_before(ended: FlowRun) -> None:
    assert ended.value("found") == (2, "inherited", None)
    assert ended.ledger.attempts(ended.flow, ended.run, "retried", "0") == [0, 1, 2]
    outcomes = [ended.done("retried", attempt=number).outcome for number in range(3)]
    assert outcomes == ["failed", "failed", "succeeded"]


def test_every_attempt_keeps_its_own_log_and_error(ended: FlowRun) -> None:
    for number in range(2):
        assert ended.error("retried", attempt=number) == f"builtins.ValueError: attempt {number}"
        assert f"ValueError: attempt {number}" in ended.text("retried", "stderr", attempt=number)


def test_a_delay_that_was_not_written_is_not_waited_for(ended: FlowRun) -> None:
    first, last = ended.done("retried", attempt=0), ended.done("retried", attempt=2)
    assert last.started_at - first.ended_at < 30


def test_catch_stores_the_exception_and_takes_the_transition(ended: FlowRun) -> None:
    problem = ended.value("problems")["caught"]
    assert (problem.type, problem.exception) == ("builtins.KeyError", "'not to be'")
    assert "raise KeyError" in problem.stacktrace
    record = ended.done("caught")
    assert (record.outcome, record.key.attempt) == ("caught", 1)
    assert record.exception is not None
    assert record.exception.type == "builtins.KeyError"


def test_catch_sets_its_variable_to_none_when_all_went_well(ended: FlowRun) -> None:
    assert ended.value("problem") is None


def test_catch_stands_in_for_a_process_that_crashed(ended: FlowRun) -> None:
    problem = ended.value("problems")["crashed"]
    assert problem.type == f"{FailureHandledByCatch.__module__}.FailureHandledByCatch"
    assert "2 attempts" in problem.exception
    assert "SIGSEGV" in problem.exception
    record = ended.done("crashed")
    assert record.outcome == "caught"
    assert "lost" not in record.artifacts
    assert ended.value("seen", "crashed") == "inherited"


def test_a_crash_is_reported_with_its_signal_in_record_log_and_output(ended: FlowRun) -> None:
    assert "SIGSEGV" in ended.error("crashed", attempt=0)
    assert "SIGSEGV" in ended.text("crashed", "stderr", attempt=0)
    assert "SIGSEGV" in ended.stdout


def test_a_killed_process_is_reported_with_a_hint_at_memory(ended: FlowRun) -> None:
    problem = ended.value("problems")["oom"]
    assert "SIGKILL" in problem.exception
    assert "memory" in problem.exception


def test_a_step_that_takes_too_long_gets_an_exception(ended: FlowRun) -> None:
    problem = ended.value("problems")["late"]
    assert problem.type.endswith("TimeoutException")
    assert "limit is 1 s" in problem.exception
    assert "time.sleep(60)" in problem.stacktrace


def test_a_step_that_blocks_the_alarm_is_killed_from_outside(ended: FlowRun) -> None:
    problem = ended.value("problems")["stuck"]
    assert "time limit" in problem.exception
    record = ended.done("stuck")
    assert record.ended_at - record.started_at < 30


WAITING = """
    class Waiting(FlowSpec):
        @retry(times=1, minutes_between_retries=0.02)
        @step
        def start(self):
            if current.retry_count == 0:
                raise ValueError("first")
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize(("setting", "waits"), [("explicit", True), ("never", False)])
def test_a_delay_that_was_written_is_waited_for_unless_configured_otherwise(
    tmp_path: Path, setting: str, waits: bool
) -> None:
    environment = {"AIRFLOW__MLFLOW_PROVIDER__LOCAL_RETRY_DELAY": setting}
    run = FlowFile(tmp_path, WAITING).run(environment=environment).succeeded()
    between = run.done("start", attempt=1).started_at - run.done("start", attempt=0).ended_at
    assert (between >= 1.2) is waits


FATAL = """
    import os, sys


    class Fatal(FlowSpec):
        how = Parameter("how", default="")

        @step
        def start(self):
            print("printed before the end")
            if self.how == "exit":
                sys.exit(3)
            if self.how == "interrupt":
                raise KeyboardInterrupt
            if self.how == "os":
                os._exit(0)
            if self.how == "group":
                raise BaseException("base")
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("exit", "builtins.SystemExit: 3"),
        ("interrupt", "builtins.KeyboardInterrupt"),
        ("os", "process: the process exited with code 0 without a record"),
        ("group", "builtins.BaseException: base"),
    ],
)
def test_no_way_of_leaving_a_step_counts_as_success(tmp_path: Path, how: str, told: str) -> None:
    run = FlowFile(tmp_path, FATAL).run("--how", how).failed()
    assert run.error("start").startswith(told)
    assert run.text("start") == "printed before the end"
    assert run.end.status == "failed"
    assert told.partition(":")[2] in run.stderr


def test_a_step_that_blocks_the_alarm_has_failed_by_timeout(tmp_path: Path) -> None:
    flow = FlowFile(
        tmp_path,
        """
        class Blocking(FlowSpec):
            @timeout(seconds=1)
            @step
            def start(self):
                import signal
                import time

                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
                time.sleep(100)
                self.next(self.end)

            @step
            def end(self):
                pass
        """,
    )
    run = flow.run(environment={"AIRFLOW__MLFLOW_PROVIDER__TIMEOUT_GRACE_S": "1"}).failed()
    assert run.error("start").startswith("airflow_mlflow_provider.exception.TimeoutException: ")
