"""A run on this machine as a whole: failures, interruptions, workers, ways of starting tasks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.flow_runs import SECONDS, FlowFile, FlowRun, is_alive
from tests.services.waiting import wait_until

BRANCHES = """
    import pathlib, time


    def wait_for(name, seconds=60):
        give_up = time.monotonic() + seconds
        while not pathlib.Path(name).exists():
            assert time.monotonic() < give_up
            time.sleep(0.02)


    class Branches(FlowSpec):
        @step
        def start(self):
            self.next(self.bad, self.quick, self.slow)

        @step
        def bad(self):
            wait_for("quick-runs")
            wait_for("slow-runs")
            pathlib.Path("failed").touch()
            raise ValueError("bad\\nsecond line")
            self.next(self.join)

        @step
        def quick(self):
            pathlib.Path("quick-runs").touch()
            wait_for("failed")
            time.sleep(0.3)
            self.next(self.quick_after)

        @step
        def quick_after(self):
            self.next(self.join)

        @step
        def slow(self):
            pathlib.Path("slow-runs").touch()
            wait_for("failed")
            time.sleep(float(pathlib.Path("seconds").read_text()))
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def branches(folder: Path, seconds: str, *options: str) -> FlowRun:
    flow = FlowFile(folder, BRANCHES)
    (folder / "seconds").write_text(seconds)
    return flow.run(*options, environment={"AIRFLOW__MLFLOW_PROVIDER__FAIL_GRACE_S": "2"}).failed()


def test_the_first_failure_stops_the_run_after_a_grace_in_which_tasks_may_finish(tmp_path: Path) -> None:
    run = branches(tmp_path, "100")
    assert run.done("quick").outcome == "succeeded"
    assert run.records("quick_after") == []
    assert "another task failed" in run.error("slow")
    assert run.end.status == "failed"
    assert run.end.failed_tasks == (f"Branches/{run.run}/bad/0",)
    assert "bad" in run.end.reason


def test_the_summary_names_the_failed_task_its_error_and_how_to_resume(tmp_path: Path) -> None:
    run = branches(tmp_path, "0")
    summary = run.stderr[run.stderr.rindex("Run Branches/") :]
    assert f"Branches/{run.run}/bad/0: builtins.ValueError: bad" in summary
    assert "second line" not in summary
    assert f"resume --origin-run-id {run.run}" in summary


def test_keep_going_lets_independent_branches_finish(tmp_path: Path) -> None:
    run = branches(tmp_path, "3", "--keep-going")
    assert run.done("slow").outcome == "succeeded"
    assert run.done("quick_after").outcome == "succeeded"
    assert run.records("join") == []
    assert run.end.status == "failed"


SLEEPING = """
    import os, pathlib, subprocess, time


    class Sleeping(FlowSpec):
        @step
        def start(self):
            self.items = [0, 1]
            self.next(self.sleep, foreach="items")

        @step
        def sleep(self):
            child = subprocess.Popen(["sleep", "600"])
            pathlib.Path(f"pids-{self.input}.tmp").write_text(f"{os.getpid()} {child.pid} {os.getppid()}")
            print("asleep", flush=True)
            os.replace(f"pids-{self.input}.tmp", f"pids-{self.input}")
            time.sleep(600)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def pids(folder: Path) -> list[int]:
    return [int(pid) for index in range(2) for pid in (folder / f"pids-{index}").read_text().split()[:2]]


def all_gone(processes: list[int]) -> None:
    wait_until(
        lambda: not any(map(is_alive, processes)),
        SECONDS,
        lambda: f"the processes {[pid for pid in processes if is_alive(pid)]} to end",
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_its_tasks_and_their_children_and_seals_all(
    tmp_path: Path, number: signal.Signals, code: int, method: str
) -> None:
    flow = FlowFile(tmp_path, SLEEPING)
    with flow.start(environment={"MLFLOW_PROVIDER_START_METHOD": method}) as started:
        started.wait_for("pids-0")
        started.wait_for("pids-1")
        started.signal(number)
        ended = started.ended().failed(code)
    all_gone(pids(tmp_path))
    assert ended.end.status == "terminated"
    for record in ended.records("sleep"):
        assert record.outcome == "failed"
        assert number.name in str(record.exception)
    assert ended.text("sleep", task=ended.records("sleep")[0].key.task) == "asleep"
    assert number.name in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_nothing_outlives_a_scheduler_that_was_killed_and_no_partial_record_is_seen(
    tmp_path: Path, method: str
) -> None:
    flow = FlowFile(tmp_path, SLEEPING)
    with flow.start(environment={"MLFLOW_PROVIDER_START_METHOD": method}) as started:
        started.wait_for("pids-0")
        started.wait_for("pids-1")
        started.signal(signal.SIGKILL)
        ended = started.ended().failed(-signal.SIGKILL)
    all_gone(pids(tmp_path))
    assert len(ended.records("start")) == 1
    assert ended.records("sleep") == []
    assert ended.ledger.run_end(ended.flow, ended.run) is None


def test_the_death_of_the_process_that_forks_tasks_fails_the_run_with_a_reason(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, SLEEPING)
    with flow.start(environment={"MLFLOW_PROVIDER_START_METHOD": "fork"}) as started:
        started.wait_for("pids-0")
        started.wait_for("pids-1")
        zygote = int((tmp_path / "pids-0").read_text().split()[2])
        os.kill(zygote, signal.SIGKILL)
        ended = started.ended().failed(1)
    all_gone(pids(tmp_path))
    assert ended.end.status == "failed"
    assert "the process that starts tasks died" in ended.end.reason
    assert "Traceback" not in ended.stderr


WIDTH = """
    import os, pathlib, time


    class Width(FlowSpec):
        @step
        def start(self):
            self.items = list(range(6))
            self.next(self.work, foreach="items")

        @step
        def work(self):
            mine = pathlib.Path(f"running-{self.input}")
            mine.touch()
            self.running = len(list(pathlib.Path().glob("running-*")))
            time.sleep(0.1)
            mine.unlink()
            self.next(self.join)

        @step
        def join(self, inputs):
            self.most = max(i.running for i in inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_tasks_run_at_once_than_there_are_workers(tmp_path: Path, workers: int) -> None:
    run = FlowFile(tmp_path, WIDTH).run("--max-workers", str(workers)).succeeded()
    assert run.value("most", "join") <= workers


RANDOM = """
    import random

    import numpy


    class Random(FlowSpec):
        @step
        def start(self):
            self.items = [0, 1, 2]
            self.next(self.draw, foreach="items")

        @step
        def draw(self):
            self.drawn = (random.random(), float(numpy.random.rand()), float(numpy.random.default_rng().random()))
            self.next(self.join)

        @step
        def join(self, inputs):
            self.drawn = [i.drawn for i in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_every_task_draws_random_numbers_of_its_own(tmp_path: Path, method: str) -> None:
    flow = FlowFile(tmp_path, RANDOM)
    run = flow.run(environment={"MLFLOW_PROVIDER_START_METHOD": method}).succeeded()
    for draws in zip(*run.value("drawn", "join"), strict=True):
        assert len(set(draws)) == 3


def test_a_seed_of_the_flows_file_holds_in_every_task(tmp_path: Path) -> None:
    flow = FlowFile(
        tmp_path, RANDOM.replace("    class Random", "    numpy.random.seed(7)\n\n\n    class Random")
    )
    run = flow.run().succeeded()
    assert len({drawn[1] for drawn in run.value("drawn", "join")}) == 1


THREADED = """
    import os, sys, threading


    class Point:
        def __init__(self, x):
            self.x = x


    threading.Thread(target=threading.Event().wait, daemon=True).start()


    class Threaded(FlowSpec):
        alpha = Parameter("alpha", default=1)
        constant = [1]

        @step
        def start(self):
            self.parent = os.getppid()
            self.point = Point(self.alpha)
            self.path = sys.path[0]
            self.items = [1, 2]
            self.next(self.each, foreach="items")

        @step
        def each(self):
            self.same = type(self.point) is Point
            self.parents = {self.parent, os.getppid()}
            print("in", self.input)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.same = [i.same for i in inputs]
            self.parents = set().union(*(i.parents for i in inputs))
            self.merge_artifacts(inputs, include=["point", "path"])
            self.next(self.end)

        @step
        def end(self):
            self.kept = (self.alpha, self.constant, self.point.x)
"""


def test_a_flow_file_that_starts_a_thread_runs_with_the_same_semantics(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, THREADED)
    with flow.start("--alpha", "3") as started:
        pid = started.process.pid
        run = started.ended().succeeded()
    assert run.value("parents") == {pid}, "tasks are children of the command itself, not of a forked copy"
    assert run.value("same") == [True, True]
    assert run.value("kept") == (3, [1], 3)
    assert run.value("path") == str(tmp_path)
    assert run.text("each", task=run.records("each")[1].key.task) == "in 2"


def test_an_unknown_way_of_starting_tasks_is_a_usage_error(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, WIDTH).run(environment={"MLFLOW_PROVIDER_START_METHOD": "thread"})
    assert run.failed(2).ledger.latest("Width") == []
    assert "MLFLOW_PROVIDER_START_METHOD" in run.stderr
    assert "fork or spawn" in run.stderr


LARGE = """
    class Large(FlowSpec):
        @step
        def start(self):
            # The labels alone are larger than the buffer of the socket on which the task reports.
            self.items = [f"{number:030d}" for number in range(20_000)]
            self.next(self.each, foreach="items")

        @step
        def each(self):
            raise ValueError("one is enough")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_report_that_is_larger_than_its_socket_arrives(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, LARGE).run("--max-num-splits", "20000", "--max-workers", "1").failed()
    assert "one is enough" in run.stderr
    transition = run.done("start").transition
    assert transition is not None
    assert transition.num_splits == 20_000


FORKING = """
    import os, signal, time


    class Forking(FlowSpec):
        @step
        def start(self):
            if os.fork() == 0:
                # Out of reach of whoever ends the task, with all of its channels open.
                os.setsid()
                give_up = time.monotonic() + 20
                while time.monotonic() < give_up:
                    os.write(1, b"noise " * 1000)
                os._exit(0)
            self.next(self.killed)

        @step
        def killed(self):
            if os.fork() == 0:
                os.setsid()
                time.sleep(20)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_forked_children_that_hold_all_channels_do_not_hold_up_the_end_of_a_task(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, FORKING).run().failed()
    assert run.done("start").outcome == "succeeded"
    assert "SIGKILL" in run.error("killed")
    assert run.end.ended_at - run.record.created_at < 15
