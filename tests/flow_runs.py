"""Flows written to files and run as users run them: `python flow.py run`, in a process of its own, on a store of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from typing_extensions import Self

from airflow_mlflow_provider.runtime.logs import LogLine, Stream, decode_lines
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord, RunEnd, RunRecord
from tests.services.waiting import wait_until

SECONDS = 90.0
USER = "tester"
_SHOWN = 4000
_HEAD = """\
from airflow_mlflow_provider import *
from airflow_mlflow_provider.flow.decorators import *
"""


@dataclass(frozen=True)
class FlowRun:
    """A command that has ended, and the newest run of the flow in the store.

    Attributes:
        flow: Name of the flow.
        ledger: The store.
        returncode: Exit code.
        stdout: What came on standard output.
        stderr: What came on standard error.
    """

    flow: str
    ledger: Ledger
    returncode: int
    stdout: str
    stderr: str

    @cached_property
    def run(self) -> str:
        """Run id."""
        return self.ledger.latest(self.flow)[0]

    @property
    def record(self) -> RunRecord:
        """What the run was started with."""
        return self.ledger.run(self.flow, self.run)

    @property
    def end(self) -> RunEnd:
        """The verdict on the run."""
        end = self.ledger.run_end(self.flow, self.run)
        assert end is not None, self.told()
        return end

    def succeeded(self) -> FlowRun:
        """This run, which must have succeeded."""
        assert self.returncode == 0, self.told()
        return self

    def failed(self, code: int = 1) -> FlowRun:
        """This run, which must have failed."""
        assert self.returncode == code, self.told()
        return self

    def told(self) -> str:
        """The end of what was printed, for messages."""
        return f"exit code {self.returncode}\n{self.stdout[-_SHOWN:]}\n{self.stderr[-_SHOWN:]}"

    def done(self, step: str, task: str = "0", attempt: int | None = None) -> DoneRecord:
        """The record of a task: of its newest attempt, or of the one numbered `attempt`."""
        if attempt is None:
            record = self.ledger.newest_done(self.flow, self.run, step, task)
        else:
            record = self.ledger.done(AttemptKey(self.flow, self.run, step, task, attempt))
        assert record is not None, f"{step}/{task} has no record\n{self.told()}"
        return record

    def records(self, step: str) -> list[DoneRecord]:
        """The newest records of a step's tasks, in the order of their ids."""
        keys = self.ledger.newest_done_keys(self.flow, self.run, step)
        return self.ledger.load_done([keys[task] for task in sorted(keys)])

    def value(self, name: str, step: str = "end", task: str = "0") -> Any:
        """An artifact, read back from the store."""
        entry = self.done(step, task).artifacts[name]
        return ArtifactReader(self.ledger.store).load(name, entry)

    def names(self, step: str, task: str = "0") -> set[str]:
        """Names of a task's artifacts."""
        return set(self.done(step, task).artifacts)

    def error(self, step: str, task: str = "0", attempt: int | None = None) -> str:
        """Type and message of the exception in a task's record."""
        exception = self.done(step, task, attempt).exception
        assert exception is not None, f"{step}/{task} did not fail"
        return f"{exception.type}: {exception.message}"

    def log(self, step: str, stream: Stream = "stdout", task: str = "0", attempt: int = 0) -> list[LogLine]:
        """The stored log of an attempt."""
        key = AttemptKey(self.flow, self.run, step, task, attempt)
        return list(decode_lines(self.ledger.read_log(key, stream)))

    def text(self, step: str, stream: Stream = "stdout", task: str = "0", attempt: int = 0) -> str:
        """The stored log of an attempt, as text without times."""
        lines = (line.text for line in self.log(step, stream, task, attempt))
        return b"\n".join(lines).decode("utf-8", "backslashreplace")


class FlowFile:
    """A flow's file in a folder, and the store `store/` beside it.

    Args:
        folder: Where to write the file.
        source: Python source; the package's names are imported before it, and its last flow is called at its end.
        store: URL of another store.
    """

    def __init__(self, folder: Path, source: str, store: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        body = textwrap.dedent(source)
        self.flow = body.rpartition("(FlowSpec)")[0].rpartition("class ")[2]
        self.path = folder / "flow.py"
        self.path.write_text(f'{_HEAD}{body}\n\nif __name__ == "__main__":\n    {self.flow}()\n', "utf-8")
        self.store = store or (folder / "store").as_uri()

    @property
    def ledger(self) -> Ledger:
        """The store's records."""
        return Ledger(open_store(self.store, cache=None))

    def line_of(self, text: str) -> int:
        """1-based line of the file in which a text first occurs."""
        lines = self.path.read_text("utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def command(self, *arguments: str, top: Sequence[str] = ()) -> list[str]:
        """The command line."""
        return [sys.executable, str(self.path), "--datastore-root", self.store, *top, *arguments]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the command; Python does not write byte code of the flow's file beside it."""
        return {**os.environ, "METAFLOW_USER": USER, "PYTHONUNBUFFERED": "1", **(extra or {})}

    def run(
        self,
        *options: str,
        top: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        command: str = "run",
        seconds: float = SECONDS,
    ) -> FlowRun:
        """Run a command to its end.

        Args:
            options: Options of the command.
            top: Options before the command.
            environment: More variables.
            command: The command.
            seconds: How long it may take at most.
        """
        ended = subprocess.run(
            self.command(command, *options, top=top),
            cwd=self.folder,
            env=self.environment(environment),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return FlowRun(
            self.flow,
            self.ledger,
            ended.returncode,
            ended.stdout.decode("utf-8", "backslashreplace"),
            ended.stderr.decode("utf-8", "backslashreplace"),
        )

    def start(
        self,
        *options: str,
        top: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        streams: Path | None = None,
    ) -> StartedFlow:
        """Start `run` and do not wait for its end; what it prints goes to `streams`, by default the flow's folder."""
        return StartedFlow(self, options, top, environment, streams or self.folder)


class StartedFlow:
    """A `run` that is under way; a context manager that ends it."""

    def __init__(
        self,
        flow: FlowFile,
        options: Sequence[str],
        top: Sequence[str],
        environment: Mapping[str, str] | None,
        streams: Path,
    ) -> None:
        self.flow = flow
        self._stdout = streams / "stdout.txt"
        self._stderr = streams / "stderr.txt"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = self._start(options, top, environment, stdout, stderr)

    def _start(
        self,
        options: Sequence[str],
        top: Sequence[str],
        environment: Mapping[str, str] | None,
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.flow.command("run", *options, top=top),
            cwd=self.flow.folder,
            env=self.flow.environment(environment),
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)

    @property
    def stdout(self) -> str:
        """What has come on standard output."""
        return self._stdout.read_text("utf-8", "backslashreplace")

    def wait_for(self, file: str) -> Path:
        """Wait for a file that the flow makes in its folder."""
        path = self.flow.folder / file
        wait_until(
            lambda: path.exists() or self.process.poll() is not None,
            SECONDS,
            lambda: f"the flow to make {file}\n{self.stdout}\n{self._stderr.read_text('utf-8')}",
        )
        assert path.exists(), f"the flow ended first\n{self.stdout}\n{self._stderr.read_text('utf-8')}"
        return path

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command, and to it alone."""
        self.process.send_signal(number)

    def ended(self) -> FlowRun:
        """Wait for the end."""
        code = self.process.wait(SECONDS)
        return FlowRun(
            self.flow.flow,
            self.flow.ledger,
            code,
            self.stdout,
            self._stderr.read_text("utf-8", "backslashreplace"),
        )


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to notice its end does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
