"""What tasks print is shown as it comes and kept with the attempt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_mlflow_provider.runtime.logs import StreamCapture, decode_lines, encode_line
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey
from tests.flow_runs import SECONDS, FlowFile, FlowRun, is_alive
from tests.services.waiting import wait_until

SOURCE = """
    import os
    import subprocess
    import sys
    import threading
    import warnings


    class Logs(FlowSpec):
        @step
        def start(self):
            print("on stdout")
            print("on stderr", file=sys.stderr)
            os.write(1, b"raw \\xff\\xfe bytes\\n")
            print("no newline at the end", end="")
            subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
            os.system("echo from a shell >&2")
            self.next(self.threads)

        @step
        def threads(self):
            def work():
                import time

                time.sleep(0.3)
                print("from a thread")

            threading.Thread(target=work).start()
            warnings.warn("a warning of the user's")
            import atexit

            atexit.register(print, "from an exit handler")
            self.next(self.long)

        @step
        def long(self):
            line = "x" * 99
            for _ in range(20_000):
                print(line)
            self.next(self.holding)

        @step
        def holding(self):
            # A grandchild in a session of its own keeps the pipes open after the step has ended.
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)
            self.child = child.pid
            print("holding")
            self.next(self.same_group)

        @step
        def same_group(self):
            self.child = [self.child, subprocess.Popen(["sleep", "600"]).pid]
            self.next(self.end)

        @step
        def end(self):
            print(input("prompt") if False else repr(sys.stdin.read()))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> FlowRun:
    return FlowFile(tmp_path_factory.mktemp("logs"), SOURCE).run("--max-log-size", "1").succeeded()


def test_the_streams_are_kept_apart_and_in_order(ended: FlowRun) -> None:
    out = [line.text for line in ended.log("start")]
    assert out[:2] == [b"on stdout", b"raw \xff\xfe bytes"]
    assert [line.text for line in ended.log("start", "stderr")] == [b"on stderr", b"from a shell"]


def test_what_children_print_belongs_to_the_log(ended: FlowRun) -> None:
    assert "from a child" in ended.text("start")


def test_lines_carry_ascending_times_and_their_source(ended: FlowRun) -> None:
    lines = ended.log("start")
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert {line.source for line in lines} == {"task"}


def test_output_shows_each_line_with_time_and_task(ended: FlowRun) -> None:
    pattern = rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \[{ended.run}/start/0 \(pid \d+\)\] on stdout$"
    assert re.search(pattern, ended.stdout, re.MULTILINE)
    assert "on stderr" in ended.stdout
    assert "raw \\xff\\xfe bytes" in ended.stdout


def test_a_thread_that_outlives_the_step_is_waited_for(ended: FlowRun) -> None:
    assert "from a thread" in ended.text("threads")


def test_exit_handlers_run_at_the_end_of_the_task(ended: FlowRun) -> None:
    assert "from an exit handler" in ended.text("threads")


def test_warnings_of_user_code_are_in_the_log(ended: FlowRun) -> None:
    assert "a warning of the user's" in ended.text("threads", "stderr")


def test_a_long_log_is_cut_with_a_line_that_says_so(ended: FlowRun) -> None:
    lines = ended.log("long")
    assert 9_900 <= len(lines) <= 10_001
    assert lines[-1].source == "runtime"
    assert b"--max-log-size" in lines[-1].text
    assert b"1 MB" in lines[-1].text
    assert {line.source for line in lines[:-1]} == {"task"}


def test_what_is_not_kept_is_shown(ended: FlowRun) -> None:
    assert ended.stdout.count("x" * 99) == 20_000


def test_a_grandchild_that_holds_the_pipe_does_not_hold_up_the_run(ended: FlowRun) -> None:
    detached, attached = ended.value("child")
    assert "holding" in ended.text("holding")
    assert not is_alive(attached), "a child of the step outlived it"
    if is_alive(detached):
        import os
        import signal

        os.kill(detached, signal.SIGKILL)


def test_standard_input_is_empty(ended: FlowRun) -> None:
    assert ended.text("end") == "''"


LIVE = """
    import pathlib, time


    class Live(FlowSpec):
        @step
        def start(self):
            print("early")
            pathlib.Path("printed").touch()
            give_up = time.monotonic() + 60
            while not pathlib.Path("go").exists():
                assert time.monotonic() < give_up
                time.sleep(0.02)
            print("late")
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_logs_and_heartbeats_are_in_the_store_while_the_task_runs(tmp_path: Path) -> None:
    from airflow_mlflow_provider.runtime.heartbeat import read_heartbeat

    flow = FlowFile(tmp_path, LIVE)
    environment = {
        "AIRFLOW__MLFLOW_PROVIDER__LOG_FLUSH_S": "0.2",
        "AIRFLOW__MLFLOW_PROVIDER__HEARTBEAT_S": "0.3",
    }
    with flow.start(environment=environment) as started:
        started.wait_for("printed")
        ledger = flow.ledger
        run = ledger.latest("Live")[0]
        key = AttemptKey("Live", run, "start", "0", 0)
        wait_until(
            lambda: [line.text for line in decode_lines(ledger.read_log(key, "stdout"))] == [b"early"],
            SECONDS,
            "the first line of the log",
        )
        first = wait_until(lambda: read_heartbeat(ledger.store, "Live", run), SECONDS, "a heartbeat")
        assert first is not None
        wait_until(
            lambda: read_heartbeat(ledger.store, "Live", run) not in (None, first),
            SECONDS,
            "the next heartbeat",
        )
        assert "early" in started.stdout
        assert ledger.run_end("Live", run) is None
        (tmp_path / "go").touch()
        ended = started.ended().succeeded()
    assert ended.text("start") == "early\nlate"


def test_a_short_run_gives_no_heartbeat(ended: FlowRun) -> None:
    from airflow_mlflow_provider.runtime.heartbeat import read_heartbeat

    assert read_heartbeat(ended.ledger.store, ended.flow, ended.run) is None


@pytest.mark.slow
def test_a_hundred_megabytes_of_output_are_taken_with_little_memory(tmp_path: Path) -> None:
    source = """
        import sys


        class Loud(FlowSpec):
            @step
            def start(self):
                block = ("y" * 999 + chr(10)) * 1000
                for _ in range(100):
                    sys.stdout.write(block)
                sys.stdout.write("z" * 5_000_000)
                self.next(self.end)

            @step
            def end(self):
                import os

                def status(pid, key):
                    lines = open(f"/proc/{pid}/status").read().splitlines()
                    return next(int(line.split()[1]) for line in lines if line.startswith(key))

                self.supervisor = status(status(os.getppid(), "PPid"), "VmHWM")
    """
    run = FlowFile(tmp_path, source).run("--max-log-size", "2").succeeded()
    assert run.value("supervisor") < 100_000, "kB of memory"
    assert run.stdout.count("y" * 999) == 100_000
    assert run.stdout.count("z") >= 5_000_000


def capture(folder: Path, limit: int = 1000) -> tuple[StreamCapture, list[bytes], Ledger, AttemptKey]:
    ledger = Ledger(open_store(folder.as_uri()))
    shown: list[bytes] = []
    key = AttemptKey("F", "r", "s", "0", 0)
    return StreamCapture(ledger, key, "stdout", limit, shown.append), shown, ledger, key


def store(captured: StreamCapture) -> None:
    chunk = captured.take_chunk()
    if chunk is not None:
        chunk()


def test_bytes_are_cut_into_lines_wherever_they_were_split(tmp_path: Path) -> None:
    captured, shown, ledger, key = capture(tmp_path)
    for part in (b"on", b"e\ntw", b"o\n", b"\n", b"three"):
        captured.feed(part)
    captured.finish()
    store(captured)
    assert shown == [b"one", b"two", b"", b"three"]
    assert [line.text for line in decode_lines(ledger.read_log(key, "stdout"))] == shown


def test_each_byte_is_stored_once(tmp_path: Path) -> None:
    captured, _, ledger, key = capture(tmp_path)
    captured.feed(b"one\n")
    store(captured)
    captured.feed(b"two\n")
    store(captured)
    assert captured.take_chunk() is None
    assert ledger.read_log(key, "stdout").count(b"one") == 1
    assert [line.text for line in decode_lines(ledger.read_log(key, "stdout"))] == [b"one", b"two"]


def test_notes_are_kept_after_the_cut(tmp_path: Path) -> None:
    captured, _, ledger, key = capture(tmp_path, limit=10)
    captured.feed(b"0123456789\nmore\n")
    captured.note("it died")
    store(captured)
    lines = list(decode_lines(ledger.read_log(key, "stdout")))
    assert [line.source for line in lines] == ["runtime", "runtime"]
    assert lines[-1].text == b"it died"


def test_a_line_survives_its_stored_form_whatever_its_bytes() -> None:
    for text in (b"", b"plain", b"\xff\x00\r\x1b[31m", b"2026-11-23T18:27:13.123456Z t fake"):
        (line,) = decode_lines(encode_line(text))
        assert (line.text, line.source) == (text, "task")
