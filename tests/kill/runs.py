"""Runs of `flows/kill_flow.py` as processes, what they leave in the store, and what they leave running."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from typing_extensions import Self

from airflow_mlflow_provider.plan.identity import parse_task_id
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord
from tests.services.waiting import wait_until

FLOW = "KillFlow"
FILE = Path(__file__).parent / "flows" / "kill_flow.py"
SPLITS = 4
ENDED_SECONDS = 120.0
ORPHAN_SECONDS = 20.0
MARK = "KILL_TEST_MARK"


@dataclass
class FlowProcess:
    """`python flow.py …` with a mark in its environment, by which it and all its descendants can be found."""

    arguments: list[str]
    folder: Path
    file: Path = FILE
    environment: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self.output = self.folder / f"{self.mark}.out"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(self.file), *self.arguments],
                env={**os.environ, "METAFLOW_USER": "tester", MARK: self.mark, **self.environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The scheduler of a local run."""
        return self.process.pid

    def wait(self, seconds: float = ENDED_SECONDS) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(seconds)

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text(errors="replace")

    def zygote(self) -> psutil.Process | None:
        """The process that forks tasks, if there is one now."""
        return next(iter(children(self.pid)), None)

    def tasks(self) -> list[psutil.Process]:
        """The task processes there are now."""
        zygote = self.zygote()
        return [] if zygote is None else children(zygote.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it if it still runs, as when a check has failed."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def check_no_orphans(self) -> None:
        """See that nothing that it started, however far down, outlives it by much.

        Raises:
            AssertionError: Something does.
        """
        wait_until(
            lambda: not marked(self.mark),
            ORPHAN_SECONDS,
            lambda: f"all processes of {self.arguments} to end: {marked(self.mark)}",
        )


def children(pid: int) -> list[psutil.Process]:
    """Children that run, of a process that may be gone."""
    try:
        return [child for child in psutil.Process(pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def marked(mark: str) -> list[str]:
    """Processes that have a mark in their environment, zombies aside."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def expected_result() -> dict[str, Any]:
    """The artifacts of the end step, whatever was killed before."""
    shared = random.Random("shared").randbytes(300_000)
    large = [random.Random(number).randbytes(700_000) for number in range(SPLITS)]
    return {
        "total": sum(number**2 for number in range(SPLITS)),
        "sums": [hashlib.sha256(shared + data).hexdigest() for data in large],
        "numbers_seen": list(range(SPLITS)),
    }


def check_result(store: Store, flow: str, run: str) -> None:
    """See that a run has succeeded with the right result.

    Raises:
        AssertionError: It has not.
    """
    ledger, reader = Ledger(store), ArtifactReader(store)
    verdict = ledger.run_end(flow, run)
    assert verdict is not None
    assert verdict.status == "succeeded"
    end = ledger.newest_done(flow, run, "end", "0")
    assert end is not None
    found = {name: reader.load(name, end.artifacts[name]) for name in expected_result()}
    assert found == expected_result()


class Records:
    """Reads every record of a store, and of each one, once, every artifact."""

    def __init__(self, store: Store) -> None:
        self._ledger = Ledger(store)
        self._reader = ArtifactReader(store)
        self._checked: set[AttemptKey] = set()

    def check(self) -> int:
        """See that every attempt that has a record can be read in full; how many have been seen so far.

        Raises:
            MetaflowException: A record or an artifact of one cannot be read, or does not match its digest.
        """
        for flow in self._ledger.flows():
            for run in self._ledger.runs(flow):
                self._ledger.run(flow, run)
                self._ledger.run_end(flow, run)
                for step in self._ledger.steps(flow, run):
                    for task in self._ledger.tasks(flow, run, step):
                        parse_task_id(task)
                        self._check_task(flow, run, step, task)
        return len(self._checked)

    def _check_task(self, flow: str, run: str, step: str, task: str) -> None:
        for attempt in self._ledger.attempts(flow, run, step, task):
            key = AttemptKey(flow, run, step, task, attempt)
            if key not in self._checked and (record := self._ledger.done(key)) is not None:
                self._check_record(record)
                self._checked.add(key)

    def _check_record(self, record: DoneRecord) -> None:
        assert (record.outcome == "failed") == (not record.artifacts), record
        for name, entry in record.artifacts.items():
            self._reader.load(name, entry, {"task": record.key.pathspec})
        if record.transition is not None and record.transition.values is not None:
            values = record.transition.values
            for index in range(len(values.offsets) - 1):
                self._reader.element(values, index)
