"""What records say of a unit, whatever happened to its pod."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.operators.verdict import verdict
from airflow_mlflow_provider.plan.identity import IndexPath, task_id
from airflow_mlflow_provider.runtime.request import UnitRequest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord, Outcome, TakenTransition
from tests.plan.shapes import SHAPES


class Run:
    """A run whose records a test writes."""

    def __init__(self, folder: Path, shape: str) -> None:
        self.graph = SHAPES[shape]
        self.ledger = Ledger(open_store(folder.as_uri()))

    def commit(
        self,
        step: str,
        path: IndexPath = (),
        attempt: int = 0,
        *,
        outcome: Outcome = "succeeded",
        iteration: int | None = None,
        targets: tuple[str, ...] = (),
        num_splits: int | None = None,
    ) -> None:
        key = AttemptKey(self.graph.name, "r", step, task_id(path, iteration), attempt)
        taken = TakenTransition(targets, num_splits=num_splits) if targets else None
        self.ledger.commit(
            DoneRecord(key, outcome, 1.0, 2.0, index_path=path, iteration=iteration, transition=taken)
        )

    def verdict(
        self, *steps: str, paths: tuple[IndexPath, ...] = ((),), attempt: int = 0, retry_count: int = 0
    ) -> tuple[bool, tuple[str, ...], list[str]]:
        """Whether all is done, what is missing, and the tasks found with their outcome."""
        request = UnitRequest(
            "", self.graph.name, "r", steps, paths=paths, attempt=attempt, retry_count=retry_count
        )
        found = verdict(self.ledger, self.graph, request)
        tasks = [
            f"{task.key.step}/{task.key.task}:{task.key.attempt}:{task.outcome}"
            for task in found.result.tasks
        ]
        return found.complete, found.missing, tasks


def test_a_task_without_a_record_is_missing(tmp_path: Path) -> None:
    assert Run(tmp_path, "linear").verdict("middle") == (False, ("middle/0",), [])


def test_a_record_is_the_verdict(tmp_path: Path) -> None:
    run = Run(tmp_path, "linear")
    run.commit("middle")
    assert run.verdict("middle") == (True, (), ["middle/0:0:succeeded"])


@pytest.mark.parametrize(("outcome", "complete"), [("failed", False), ("caught", True)])
def test_a_failure_is_a_verdict_too(tmp_path: Path, outcome: Outcome, complete: bool) -> None:
    run = Run(tmp_path, "linear")
    run.commit("middle", outcome=outcome)
    assert run.verdict("middle") == (complete, (), [f"middle/0:0:{outcome}"])


def test_a_record_from_before_a_clear_does_not_count(tmp_path: Path) -> None:
    run = Run(tmp_path, "linear")
    run.commit("middle", attempt=1)
    assert run.verdict("middle", attempt=2)[1] == ("middle/0",)
    assert run.verdict("middle", attempt=2, retry_count=1)[0]


def test_each_index_path_of_a_shard_counts_for_itself(tmp_path: Path) -> None:
    run = Run(tmp_path, "foreach")
    run.commit("body", (0,))
    run.commit("body", (2,), outcome="failed")
    complete, missing, tasks = run.verdict("body", paths=((0,), (1,), (2,)))
    assert (complete, missing) == (False, ("body/0001",))
    assert tasks == ["body/0000:0:succeeded", "body/0002:0:failed"]


def test_a_fused_chain_stands_at_the_first_step_that_is_not_finished(tmp_path: Path) -> None:
    run = Run(tmp_path, "linear")
    run.commit("start", targets=("middle",))
    assert run.verdict("start", "middle", "end")[1] == ("middle/0",)
    run.commit("middle", outcome="failed")
    assert run.verdict("start", "middle", "end")[2] == ["middle/0:0:failed"]


def test_a_loop_is_done_when_its_last_iteration_leaves_it(tmp_path: Path) -> None:
    run = Run(tmp_path, "loop")
    assert run.verdict("again")[1] == ("again/i0000",)
    run.commit("again", iteration=0, targets=("again",))
    assert run.verdict("again")[1] == ("again/i0001",)
    run.commit("again", iteration=1, targets=("end",))
    assert run.verdict("again") == (True, (), ["again/i0001:0:succeeded"])


def test_a_gang_is_done_when_all_of_its_workers_are(tmp_path: Path) -> None:
    run = Run(tmp_path, "gang_in_foreach")
    run.commit("prepare", (1,), targets=("train",), num_splits=2)
    run.commit("train", (1, 0), targets=("join_train",))
    assert run.verdict("train", paths=((1,),))[1] == ("train/0001-0001",)
    run.commit("train", (1, 1), targets=("join_train",))
    assert run.verdict("train", paths=((1,),))[0]
