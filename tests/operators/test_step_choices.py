"""Which way a switch took, when it was cleared and took another way the second time."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.identity import IndexPath, task_id
from airflow_mlflow_provider.runtime.parents import chosen_parents
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord, TakenTransition
from tests.plan.shapes import SHAPES, graph, switch, then


class Run:
    """A run whose records a test writes."""

    def __init__(self, folder: Path, flow: FlowGraph) -> None:
        self.graph = flow
        self.ledger = Ledger(open_store(folder.as_uri()))

    def commit(
        self,
        step: str,
        *targets: str,
        path: IndexPath = (),
        attempt: int = 0,
        iteration: int | None = None,
        num_splits: int | None = None,
    ) -> None:
        key = AttemptKey(self.graph.name, "r", step, task_id(path, iteration), attempt)
        taken = TakenTransition(targets, num_splits=num_splits)
        self.ledger.commit(
            DoneRecord(key, "succeeded", 1.0, 2.0, index_path=path, iteration=iteration, transition=taken)
        )

    def parents(self, step: str, path: IndexPath = ()) -> list[str] | None:
        """The parents of a task with their attempts, ``None`` if it is not chosen."""
        found = chosen_parents(self.ledger, self.graph, "r", step, path)
        return (
            None if found is None else [f"{one.key.step}/{one.key.task}:{one.key.attempt}" for one in found]
        )


@pytest.fixture
def in_foreach(tmp_path: Path) -> Run:
    """Index 0 went by ``a``, was cleared, and goes by ``b`` now."""
    run = Run(tmp_path, SHAPES["switch_in_foreach"])
    run.commit("start", "choose", num_splits=1)
    run.commit("choose", "a", path=(0,))
    run.commit("a", "a_two", path=(0,))
    run.commit("a_two", "merge", path=(0,))
    run.commit("choose", "b", path=(0,), attempt=1)
    run.commit("b", "merge", path=(0,), attempt=1)
    return run


def test_steps_on_the_way_that_is_not_taken_any_more_are_not_chosen(in_foreach: Run) -> None:
    assert in_foreach.parents("a", (0,)) is None
    assert in_foreach.parents("a_two", (0,)) is None


def test_a_merge_goes_on_from_the_way_that_is_taken_now(in_foreach: Run) -> None:
    assert in_foreach.parents("b", (0,)) == ["choose/0000:1"]
    assert in_foreach.parents("merge", (0,)) == ["b/0000:1"]


def test_a_foreach_on_the_way_that_is_not_taken_any_more_is_not_joined(tmp_path: Path) -> None:
    run = Run(tmp_path, SHAPES["foreach_in_switch"])
    run.commit("start", "split")
    run.commit("split", "body", num_splits=1)
    run.commit("body", "join", path=(0,))
    run.commit("join", "merge")
    assert run.parents("join") == ["body/0000:0"]
    run.commit("start", "plain", attempt=1)
    run.commit("plain", "merge", attempt=1)
    assert run.parents("join") is None
    assert run.parents("merge") == ["plain/0:1"]


def test_a_step_that_the_switch_and_another_way_lead_to_takes_the_one_that_was_taken(tmp_path: Path) -> None:
    run = Run(tmp_path, SHAPES["switch_past_a_step"])
    run.commit("start", "extra")
    run.commit("extra", "end")
    assert run.parents("end") == ["extra/0:0"]
    run.commit("start", "end", attempt=1)
    assert run.parents("end") == ["start/0:1"]


def test_only_the_switch_that_was_cleared_decides_anew(tmp_path: Path) -> None:
    run = Run(tmp_path, SHAPES["nested_switch"])
    run.commit("start", "a")
    run.commit("a", "c")
    run.commit("c", "merge_a")
    run.commit("merge_a", "merge")
    run.commit("a", "d", attempt=1)
    run.commit("d", "merge_a", attempt=1)
    assert run.parents("merge_a") == ["d/0:1"]
    assert run.parents("merge") == ["merge_a/0:0"]


def test_a_branch_that_ends_in_a_switch_joins_with_the_way_taken_now(tmp_path: Path) -> None:
    flow = graph(
        {
            "start": then("choose", "other"),
            "choose": switch("a", "b"),
            "a": then("join"),
            "b": then("join"),
            "other": then("join"),
            "join": then("end"),
            "end": None,
        },
        branches={"a": ("choose",), "b": ("choose",), "other": ("other",)},
    )
    run = Run(tmp_path, flow)
    run.commit("start", "choose", "other")
    run.commit("other", "join")
    run.commit("choose", "a")
    run.commit("a", "join")
    run.commit("choose", "b", attempt=1)
    run.commit("b", "join", attempt=1)
    assert run.parents("join") == ["b/0:1", "other/0:0"]


def test_iterations_of_a_longer_loop_before_a_clear_do_not_count(tmp_path: Path) -> None:
    run = Run(tmp_path, SHAPES["loop"])
    run.commit("start", "again")
    for iteration, target in enumerate(("again", "again", "end")):
        run.commit("again", target, iteration=iteration)
    assert run.parents("end") == ["again/i0002:0"]
    run.commit("again", "again", iteration=0, attempt=1)
    run.commit("again", "end", iteration=1, attempt=1)
    assert run.parents("end") == ["again/i0001:1"]
