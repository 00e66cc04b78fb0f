"""Which task instances of a resumed DAG run are finished from the start, for shapes of graphs and places of failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.plugins.resuming.instances import FinishedInstances, finished_instances
from airflow_mlflow_provider.runtime.frontier import Frontier, Work
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.resume import ResumePlan
from airflow_mlflow_provider.store.records import AttemptKey, Carried
from tests.dag.manifests import manifest_for
from tests.plan.shapes import SHAPES


class Origin:
    """A run all of whose tasks have finished, but for those that are `left`.

    Args:
        shape: Name of the graph's shape.
        left: ``step/task`` of the tasks that are not taken over.
        widths: Number of splits by ``step/task`` or step; 2 if not said.
        choices: The way taken by ``step/task`` or step; the first case if not said.
    """

    def __init__(
        self,
        shape: str,
        *left: str,
        widths: Mapping[str, int] | None = None,
        choices: Mapping[str, str] | None = None,
    ) -> None:
        self.graph: FlowGraph = SHAPES[shape]
        self._left, self._widths, self._choices = set(left), widths or {}, choices or {}

    def plan(self) -> ResumePlan:
        """The plan that resumes it."""
        frontier = Frontier(self.graph, self.graph.steps)
        waiting, works, results = [frontier.start()], [], []
        while waiting:
            work = waiting.pop(0)
            if self._place(work) in self._left:
                works.append(work)
                continue
            results.append(self._result(work))
            waiting += frontier.follow(work, results[-1])
        return ResumePlan("origin", Carried({}), frontier, tuple(works), {}, results=tuple(results))

    def _place(self, work: Work) -> str:
        return f"{work.step}/{task_id(work.path, work.iteration)}"

    def _result(self, work: Work) -> TaskResult:
        node, place = self.graph[work.step], self._place(work)
        key = AttemptKey(self.graph.name, "origin", work.step, task_id(work.path, work.iteration), 0)
        targets, width = node.out_funcs, None
        if node.kind == "switch":
            targets = (self._choices.get(place) or self._choices.get(work.step) or targets[0],)
        if node.kind in ("foreach", "parallel"):
            width = self._widths.get(place, self._widths.get(work.step, 2))
        return TaskResult(key, "succeeded", work.path, work.iteration, targets, width)


def finished(origin: Origin, max_width: int = 100, **fields: Any) -> FinishedInstances:
    """The task instances that a resumed run of it begins with."""
    return finished_instances(Deployment(manifest_for(origin.graph, **fields)), origin.plan(), max_width)


def told(found: FinishedInstances) -> dict[str, str]:
    """State by `task` or `task[index]`."""
    return {
        one.task_id if one.map_index < 0 else f"{one.task_id}[{one.map_index}]": one.state
        for one in found.instances
    }


@pytest.mark.parametrize(
    ("shape", "left", "choices", "expected"),
    [
        ("linear", ["start/0"], {}, ""),
        ("linear", ["middle/0"], {}, "start"),
        # The end always runs: it puts the verdict on the run.
        ("linear", [], {}, "start middle"),
        ("branch", ["a/0"], {}, "start b"),
        ("nested_branches", ["d/0"], {}, "start a c b"),
        ("foreach", ["body/0001"], {}, "start body[0]"),
        ("foreach", ["body/0000", "body/0001"], {}, "start"),
        ("foreach_two_steps", ["second/0000"], {}, "start first[0] first[1] second[1]"),
        # The inner list is known only once every outer instance has contributed to it; its tasks then find themselves taken over.
        ("nested_foreach", ["outer/0001"], {}, "start outer[0] join_inner[0]"),
        (
            "nested_foreach",
            ["inner/0001-0000"],
            {},
            "start outer[0] outer[1] plan-outer inner[0] inner[1] inner[3] join_inner[0]",
        ),
        ("join_that_splits", ["two/0000"], {}, "start one[0] one[1] join_one two[1]"),
        ("switch", ["a/0"], {}, "start b=skipped"),
        ("switch", ["merge/0"], {"start": "b"}, "start a=skipped b"),
        ("nested_switch", ["d/0"], {"a": "d"}, "start a c=skipped b=skipped"),
        (
            "switch_in_foreach",
            ["a_two/0000"],
            {"choose/0001": "b"},
            "start choose[0] choose[1] a[0] a[1]=skipped a_two[1]=skipped b[0]=skipped b[1] merge[1]",
        ),
        ("switch_in_foreach", ["choose/0001"], {}, "start choose[0] a[0] a_two[0] b[0]=skipped merge[0]"),
        # What is behind a split that no path reaches is left to the scheduler, which skips it.
        ("foreach_in_switch", ["merge/0"], {"start": "plain"}, "start split=skipped join=skipped plain"),
        (
            "foreach_in_switch_in_foreach",
            ["body/0000-0001"],
            {"choose/0001": "plain"},
            """start choose[0] choose[1] split[0] split[1]=skipped plain[0]=skipped plain[1] plan-split
            body[0] join_body[1]=skipped merge[1]""",
        ),
        ("loop", ["again/i0000"], {}, "start"),
        ("loop", ["again/i0002"], {"again/i0000": "again", "again/i0001": "again"}, "start"),
        ("loop", [], {"again/i0000": "again", "again/i0001": "end"}, "start again"),
        ("gang", ["join/0"], {}, "start train"),
        ("gang", ["train/0000", "train/0001"], {}, "start"),
        (
            "gang_in_foreach",
            ["train/0001-0000", "train/0001-0001"],
            {},
            "start prepare[0] prepare[1] train[0] join_train[0]",
        ),
    ],
)
def test_what_is_finished_from_the_start(
    shape: str, left: list[str], choices: dict[str, str], expected: str
) -> None:
    wanted = {name: state or "success" for name, _, state in (one.partition("=") for one in expected.split())}
    assert told(finished(Origin(shape, *left, choices=choices))) == wanted


def test_a_shard_is_taken_over_only_if_all_of_its_index_paths_are() -> None:
    found = finished(Origin("foreach", "body/0004", widths={"start": 6}), max_width=3)
    assert told(found) == {"start": "success", "body[0]": "success", "body[1]": "success"}
    assert found.widths == {"body": 3}


def test_of_a_task_none_of_whose_instances_is_finished_none_is_made() -> None:
    assert finished(Origin("foreach_two_steps", "second/0000", "second/0001")).widths == {"first": 2}


def test_a_foreach_over_nothing_is_skipped_as_airflow_would() -> None:
    found = finished(Origin("empty_foreach", "join/0", widths={"start": 0}))
    assert told(found) == {"start": "success", "body": "skipped"}
    assert found.instances[0].xcoms["return_value"] == []


def test_a_chain_that_runs_as_one_task_is_taken_over_as_a_whole_or_not_at_all() -> None:
    assert told(finished(Origin("foreach_two_steps", "second/0000"), settings={"fuse": True})) == {
        "start": "success",
        "first[1]": "success",
    }


def test_lists_and_pointers_are_those_of_an_ordinary_run() -> None:
    found = finished(Origin("nested_foreach", "join_outer/0", widths={"outer/0000": 1, "outer/0001": 0}))
    by_name = {(one.task_id, one.map_index): one for one in found.instances}
    assert by_name["start", -1].xcoms["return_value"] == [
        {"paths": [[0]], "label": "items=0"},
        {"paths": [[1]], "label": "items=1"},
    ]
    assert by_name["outer", 0].xcoms == {
        "pointer": {
            "attempts": {"NestedForeachFlow/origin/outer/0000": 0},
            "splits": [{"path": [0], "width": 1, "var": "items", "around": ["items=0"]}],
        }
    }
    assert by_name["plan-outer", -1].xcoms["return_value"] == [
        {"paths": [[0, 0]], "label": "items=0 items=0"},
    ]
    assert by_name["inner", 0].origins == ("NestedForeachFlow/origin/inner/0000-0000",)
    assert by_name["inner", 0].label == "items=0 items=0"
