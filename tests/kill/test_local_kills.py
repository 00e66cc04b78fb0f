"""`kill -9` at random points of a local run: of a task, of the zygote, of the scheduler."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.kill.runs import FLOW, FlowProcess, Records, check_result

VICTIMS = ("task", "zygote", "scheduler")
ROUNDS = 30
QUICK_ROUNDS = 6
ATTEMPTS = 8


@dataclass
class Killed:
    """A run of which a process was killed: how it ended."""

    flow: FlowProcess
    run: str | None
    exit_code: int


@pytest.fixture(scope="session")
def usual_seconds(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a run takes here and now, so that a random moment falls into it."""
    folder = tmp_path_factory.mktemp("usual")
    began = time.monotonic()
    with FlowProcess(["--datastore-root", str(folder / "store"), "run"], folder) as flow:
        assert flow.wait() == 0, flow.text()
    return time.monotonic() - began


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[pytest.mark.slow] if n >= QUICK_ROUNDS else []) for n in range(ROUNDS)]
)
def test_a_kill_leaves_no_partial_record_and_no_orphan_and_the_rerun_is_right(
    seed: int, usual_seconds: float, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    victim = VICTIMS[seed % len(VICTIMS)]
    store = (tmp_path / "store").as_uri()
    killed = _kill(victim, chance, usual_seconds, store, tmp_path)
    killed.flow.check_no_orphans()
    Records(open_store(store)).check()
    _check_verdict(victim, killed, store)
    # A run that never got its record leaves nothing to resume.
    resumes = killed.run is not None and killed.exit_code != 0 and seed % 2 == 1
    again = ["resume", "--origin-run-id", str(killed.run)] if resumes else ["run"]
    assert _run_again(again, store, tmp_path) == 0


def _kill(victim: str, chance: random.Random, usual: float, store: str, folder: Path) -> Killed:
    """Start runs until one has been hit."""
    for attempt in range(ATTEMPTS):
        run_id_file = folder / f"run_id_{attempt}"
        arguments = ["--datastore-root", store, "run", "--run-id-file", str(run_id_file)]
        with FlowProcess(arguments, folder) as flow:
            hit = _hit(victim, flow, chance, usual, Records(open_store(store)))
        if hit:
            run = run_id_file.read_text() if run_id_file.exists() else None
            return Killed(flow, run or None, flow.wait())
    raise AssertionError(f"no {victim} was hit in {ATTEMPTS} runs of {usual:.1f} s")


def _hit(victim: str, flow: FlowProcess, chance: random.Random, usual: float, records: Records) -> bool:
    """Kill the victim at a random moment, unless the run is over by then; records are read as they come."""
    moment = time.monotonic() + chance.uniform(0.0, usual)
    hit = False
    while flow.process.poll() is None:
        records.check()
        if not hit and time.monotonic() >= moment and (pid := _find(victim, flow, chance)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                hit = True
    records.check()
    return hit


def _find(victim: str, flow: FlowProcess, chance: random.Random) -> int | None:
    if victim == "scheduler":
        return flow.pid
    if victim == "zygote":
        zygote = flow.zygote()
        return None if zygote is None else zygote.pid
    tasks = flow.tasks()
    return chance.choice(tasks).pid if tasks else None


def _check_verdict(victim: str, killed: Killed, store: str) -> None:
    printed = killed.flow.text()
    end = None if killed.run is None else Ledger(open_store(store)).run_end(FLOW, killed.run)
    if killed.exit_code == 0:
        # A task is retried; what is killed after the last task has ended was no longer needed.
        assert killed.run is not None
        check_result(open_store(store), FLOW, killed.run)
    elif victim == "scheduler":
        assert killed.exit_code == -signal.SIGKILL
        assert end is None or end.status == "succeeded"
    else:
        assert victim == "zygote", printed
        assert "the process that starts tasks died" in printed
        assert end is None or end.status == "failed"
        assert "Traceback" not in printed


def _run_again(arguments: list[str], store: str, folder: Path) -> int:
    run_id_file = folder / "run_id_again"
    command = ["--datastore-root", store, *arguments, "--run-id-file", str(run_id_file)]
    with FlowProcess(command, folder) as flow:
        exit_code = flow.wait()
    assert exit_code == 0, flow.text()
    check_result(open_store(store), FLOW, run_id_file.read_text())
    flow.check_no_orphans()
    return exit_code
