"""Supervising task processes: start them, capture what they print, learn how they ended, kill them in time.

The supervisor trusts nothing a task process may do: it may print without end, ignore signals, crash, or leave children
behind. A task that ends without a record gets one here, which says how its process died.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from airflow_mlflow_provider.exception import MetaflowException, ObjectExists
from airflow_mlflow_provider.runtime.assignment import Assignment, Report, send, take
from airflow_mlflow_provider.runtime.death import describe_status, record_of_death, signal_group
from airflow_mlflow_provider.runtime.launching import Launcher
from airflow_mlflow_provider.runtime.log_storing import LogPolicy, LogStorer
from airflow_mlflow_provider.runtime.logs import STREAMS, Stream, StreamCapture
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord

_READ_SIZE = 1 << 16
_LARGEST_PIPE = 1 << 20


class Observer(Protocol):
    """Is told what happens to tasks."""

    def started(self, assignment: Assignment, pid: int) -> None:
        """A task process runs."""
        ...

    def line(self, assignment: Assignment, stream: Stream, text: bytes) -> None:
        """A task, or the runtime on its behalf, printed a line."""
        ...


StandIn = Callable[[Assignment, str], "DoneRecord | None"]


class _Running:
    """One task process and its channels."""

    def __init__(self, assignment: Assignment, seconds: float | None) -> None:
        self.assignment = assignment
        self._seconds = seconds
        self.deadline: float | None = None
        self.restart_clock()
        self.pid = 0
        self.control, self.control_theirs = socket.socketpair()
        self.said = bytearray()
        self.report: Report | None = None
        self.pipes: dict[int, StreamCapture] = {}
        self.captures: dict[Stream, StreamCapture] = {}
        self.killed_because = ""
        self.timed_out = False
        self.abandoned = False

    def restart_clock(self) -> None:
        """Give it all of its time from now on."""
        self.deadline = None if self._seconds is None else time.monotonic() + self._seconds


class Supervisor:
    """Runs assignments in child processes.

    Args:
        launcher: Starts processes.
        ledger: Where records and logs go.
        observer: Is told of lines and starts.
        logs: How logs are kept.
        stand_in: Gives the record of an attempt whose process died by itself, for the cause of its death, or ``None``
            if the attempt simply failed.
    """

    def __init__(
        self,
        launcher: Launcher,
        ledger: Ledger,
        observer: Observer,
        logs: LogPolicy | None = None,
        stand_in: StandIn = lambda assignment, cause: None,
    ) -> None:
        self._launcher = launcher
        self._ledger = ledger
        self._observer = observer
        self._logs = logs or LogPolicy()
        self._stand_in = stand_in
        self._selector = selectors.DefaultSelector()
        self._selector.register(launcher.fileno(), selectors.EVENT_READ, "launcher")
        self._launcher_gone = False
        self._starting: list[_Running] = []
        self._running: dict[int, _Running] = {}
        self._by_pipe: dict[int, _Running] = {}
        self._by_control: dict[int, _Running] = {}
        self._storer = LogStorer(ledger.store.url, self._logs.flush_seconds)

    @property
    def count(self) -> int:
        """Number of task processes that have not ended."""
        return len(self._running) + len(self._starting)

    def caught(self, assignment: Assignment, cause: str) -> TaskResult | None:
        """Commit an attempt that runs no user code, after all others failed; ``None`` if the step has no ``@catch``.

        Raises:
            MetaflowDataMissing: What the step starts from is not stored.
            StoreException: The store failed.
        """
        record = self._stand_in(assignment, cause)
        if record is None:
            return None
        self._ledger.commit(record)
        return result_of(record)

    @property
    def can_start(self) -> bool:
        """Whether the launcher lives, as far as is known."""
        return not self._launcher_gone

    @property
    def assignments(self) -> list[Assignment]:
        """What is running."""
        return [running.assignment for running in (*self._starting, *self._running.values())]

    def start(self, assignment: Assignment, seconds: float | None = None) -> None:
        """Start a task process.

        Args:
            assignment: What it is to do.
            seconds: After how long it is killed, if it has not ended by then.
        """
        running = _Running(assignment, seconds)
        theirs: list[int] = []
        for stream in STREAMS:
            ours, other = os.pipe()
            os.set_blocking(ours, False)
            theirs.append(other)
            capture = self._capture(assignment, stream)
            running.pipes[ours] = running.captures[stream] = capture
            self._by_pipe[ours] = running
            self._selector.register(ours, selectors.EVENT_READ, "pipe")
        self._starting.append(running)
        # A launcher that has died cannot be told anything; `wait` will say so of this task.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._launcher.fork(assignment.key.step, running.control_theirs.fileno(), *theirs)
        for descriptor in theirs:
            os.close(descriptor)
        running.control_theirs.close()
        with suppress(BrokenPipeError, ConnectionResetError):
            send(running.control, assignment)
        running.control.setblocking(False)
        self._by_control[running.control.fileno()] = running
        self._selector.register(running.control, selectors.EVENT_READ, "control")

    def wait(self, seconds: float | None = None) -> list[tuple[Assignment, TaskResult]]:
        """Wait until something happens or the time is over; the tasks that have ended meanwhile."""
        ended = self._launcher_died() if self._launcher_gone else []
        statuses: dict[int, int] = {}
        for key, _ in self._selector.select(0.0 if ended else self._patience(seconds)):
            if key.data == "pipe":
                self._read(key.fd)
            elif key.data == "control":
                self._listen(key.fd)
            else:
                ended += self._launcher_events(statuses)
        self._enforce_deadlines()
        self._storer.store_in_turn(
            capture for running in self._running.values() for capture in running.captures.values()
        )
        return [(r.assignment, self._conclude(r, statuses.get(r.pid, 0))) for r in ended]

    def kill(self, because: str, only: Callable[[Assignment], bool] = lambda _: True) -> None:
        """Kill task processes, with their own children.

        Args:
            because: What their records will say.
            only: Chooses which.
        """
        for running in self._running.values():
            if only(running.assignment):
                running.killed_because = running.killed_because or because
                running.abandoned = True
                signal_group(running.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill what still runs and wait until all logs are stored; warn if one could not be."""
        self.kill("the run ended")
        self._launcher.close()
        for running in (*self._starting, *self._running.values()):
            self._finish_streams(running)
            self._stop_listening(running)
        self._selector.close()
        self._storer.close()

    def _capture(self, assignment: Assignment, stream: Stream) -> StreamCapture:
        def show(line: bytes) -> None:
            self._observer.line(assignment, stream, line)

        return StreamCapture(self._ledger, assignment.key, stream, self._logs.max_bytes, show)

    def _patience(self, seconds: float | None) -> float | None:
        now = time.monotonic()
        waits = [seconds] if seconds is not None else []
        if self.count:
            waits.append(self._storer.seconds_to_turn)
            waits += [max(0.0, r.deadline - now) for r in self._running.values() if r.deadline is not None]
        return min(waits) if waits else None

    def _launcher_events(self, statuses: dict[int, int]) -> list[_Running]:
        answers = self._launcher.answers()
        if answers is None:
            return self._launcher_died()
        ended: list[_Running] = []
        for kind, pid, status in answers:
            if kind == b"S":
                running = self._starting.pop(0)
                running.pid = pid
                self._running[pid] = running
                self._observer.started(running.assignment, pid)
            elif pid in self._running:
                statuses[pid] = status
                ended.append(self._running.pop(pid))
        return ended

    def _launcher_died(self) -> list[_Running]:
        if not self._launcher_gone:
            self._launcher_gone = True
            self._selector.unregister(self._launcher.fileno())
        ended = [*self._starting, *self._running.values()]
        for running in self._running.values():
            running.killed_because = "the process that starts tasks died"
            signal_group(running.pid, signal.SIGKILL)
        for running in self._starting:
            running.killed_because = "the process that starts tasks died before this one started"
        self._starting.clear()
        self._running.clear()
        return ended

    def _read(self, pipe: int) -> None:
        running = self._by_pipe.get(pipe)
        if running is None:
            return
        # What it must not show a task says before it prints anything.
        self._listen(running.control.fileno())
        try:
            data = os.read(pipe, _READ_SIZE)
        except BlockingIOError:
            return
        if data:
            running.pipes[pipe].feed(data)
        else:
            self._close_pipe(running, pipe)

    def _listen(self, control: int) -> bool:
        """Take what a task says as it comes: a long report does not fit into its socket. Whether it said anything."""
        running = self._by_control.get(control)
        if running is None:
            return False
        try:
            data = running.control.recv(_READ_SIZE)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        running.said += data
        for report in take(running.said, Report):
            if report.waits:
                running.restart_clock()
            elif not report.secrets:
                running.report = report
            for capture in running.captures.values():
                capture.hide(report.secrets)
        if not data:
            self._stop_listening(running)
        return bool(data)

    def _stop_listening(self, running: _Running) -> None:
        if self._by_control.pop(running.control.fileno(), None) is not None:
            self._selector.unregister(running.control)
            running.control.close()

    def _close_pipe(self, running: _Running, pipe: int) -> None:
        running.pipes.pop(pipe).finish()
        del self._by_pipe[pipe]
        self._selector.unregister(pipe)
        os.close(pipe)

    def _conclude(self, running: _Running, status: int) -> TaskResult:
        # Its own children have no more to say; whoever has left its process group may hold the channels open for ever.
        signal_group(running.pid, signal.SIGKILL)
        while self._listen(running.control.fileno()):
            pass
        self._stop_listening(running)
        for pipe in list(running.pipes):
            self._drain(running, pipe)
        report = running.report
        result = report.result if report is not None else None
        if result is None:
            result = self._result_without_report(running, report, status)
        self._finish_streams(running)
        return result

    def _drain(self, running: _Running, pipe: int) -> None:
        # What the task itself has printed is there already and fits into its pipe.
        for _ in range(_LARGEST_PIPE // _READ_SIZE):
            try:
                data = os.read(pipe, _READ_SIZE)
            except BlockingIOError:
                break
            if not data:
                break
            running.pipes[pipe].feed(data)
        self._close_pipe(running, pipe)

    def _result_without_report(self, running: _Running, report: Report | None, status: int) -> TaskResult:
        key = running.assignment.key
        cause = report.store_error if report else running.killed_because or describe_status(status)
        failure = record_of_death(running.assignment, cause, timed_out=running.timed_out)
        try:
            record = self._ledger.done(key)
            if record is None:
                running.captures["stderr"].note(f"{key.pathspec}: {cause}")
                caught = None if report or running.abandoned else self._stand_in(running.assignment, cause)
                record = caught or failure
                if running.timed_out and caught and caught.outcome == "failed":
                    record = msgspec.structs.replace(caught, exception=failure.exception)
                with suppress(ObjectExists):
                    self._ledger.commit(record)
            return result_of(record)
        except MetaflowException as error:
            running.captures["stderr"].note(f"{error.headline}: {error}")
            return result_of(failure)

    def _finish_streams(self, running: _Running) -> None:
        for pipe in list(running.pipes):
            self._close_pipe(running, pipe)
        for capture in running.captures.values():
            self._storer.store(capture)

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if running.deadline is not None and now > running.deadline:
                running.deadline, running.timed_out = None, True
                running.killed_because = "the step did not end within its time limit, and was killed"
                signal_group(running.pid, signal.SIGKILL)
