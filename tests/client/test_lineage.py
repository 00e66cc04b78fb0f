"""Parents and children of tasks and steps; tasks that a resumed run took over."""

from __future__ import annotations

from airflow_mlflow_provider.client import Run, Step, Task
from tests.flow_runs import FlowRun


def names(tasks: object) -> list[str]:
    return ["/".join(task.path_components[2:]) for task in tasks]  # type: ignore[attr-defined]


def test_parents_and_children_of_splits_joins_and_switches_are_exact(shapes_run: FlowRun) -> None:
    run = Run(f"Shapes/{shapes_run.run}")

    def parents(path: str) -> list[str]:
        return names(Task(f"{run.pathspec}/{path}").parent_tasks)

    def children(path: str) -> list[str]:
        return names(Task(f"{run.pathspec}/{path}").child_tasks)

    assert parents("start/0") == []
    assert children("start/0") == ["left/0", "right/i0000"]
    assert children("left/0") == ["quick/0"]
    assert "slow" not in run
    assert children("right/i0000") == ["right/i0001"]
    assert parents("right/i0002") == ["right/i0001"]
    assert children("right/i0002") == ["launch/0"]
    assert children("launch/0") == ["nodes/0000", "nodes/0001"]
    assert parents("gathered/0") == ["nodes/0000", "nodes/0001"]
    assert sorted(parents("join/0")) == ["gathered/0", "quick/0"]
    assert parents("end/0") == ["join/0"]
    assert children("end/0") == []
    end = Task(f"{run.pathspec}/end/0")
    assert list(end.parent_task_pathspecs) == [f"{run.pathspec}/join/0"]
    assert list(Task(f"{run.pathspec}/join/0").child_task_pathspecs) == [end.pathspec]


def test_steps_know_the_steps_before_and_after(shapes_run: FlowRun) -> None:
    step = Step(f"Shapes/{shapes_run.run}/join")

    assert sorted(s.id for s in step.parent_steps) == ["gathered", "quick", "slow"]
    assert [s.id for s in step.child_steps] == ["end"]


def test_the_first_node_of_a_gang_is_its_control_task(shapes_run: FlowRun) -> None:
    run = Run(f"Shapes/{shapes_run.run}")
    control = run["nodes"].control_task

    assert control is not None
    assert control["place"].data == 0
    assert control.metadata_dict["internal_task_type"] == "control"
    assert control.metadata_dict["parallel-world-size"] == "2"
    assert control.data._control_mapper_tasks == [f"{run.id}/nodes/0000", f"{run.id}/nodes/0001"]
    assert control.data._control_task_is_mapper_zero is True
    assert run["launch"].task.data._unbounded_foreach is True  # type: ignore[union-attr]
    assert run["end"].control_task is None


def test_a_resumed_run_shows_the_tasks_that_it_took_over(broken_run: FlowRun, resumed_run: FlowRun) -> None:
    origin, run = Run(f"Broken/{broken_run.run}"), Run(f"Broken/{resumed_run.run}")

    assert run.origin_pathspec == origin.pathspec
    assert [step.id for step in run] == ["end", "join", "body", "start"]
    assert run["join"].task is not None
    assert run["join"].task["values"].data == [1, 2]
    start = Task(f"{run.pathspec}/start/0")
    assert start.origin_pathspec == f"{origin.pathspec}/start/0"
    assert start["items"].data == [1, 2]
    assert start["items"].origin_pathspec == f"{origin.pathspec}/start/0/items"
    assert (start.finished, start.successful, start.attempts) == (True, True, [0])
    assert Task(start.pathspec, attempt=0)["items"].data == [1, 2]
    assert start.metadata_dict["origin-run-id"] == origin.id
    assert start.metadata_dict["origin-task-id"] == "0"
    taken, rerun = Task(f"{run.pathspec}/body/0000"), Task(f"{run.pathspec}/body/0001")
    assert taken.origin_pathspec == f"{origin.pathspec}/body/0000"
    assert taken.stdout == "split 1\n"
    assert rerun.origin_pathspec is None
    assert rerun["value"].origin_pathspec is None
    assert rerun.metadata_dict["origin-run-id"] == origin.id
    assert run["start"].origin_pathspec == f"{origin.pathspec}/start"
    assert run["body"].origin_pathspec is None
    assert run["end"].origin_pathspec is None


def test_lineage_goes_through_tasks_taken_over(broken_run: FlowRun, resumed_run: FlowRun) -> None:
    run = Run(f"Broken/{resumed_run.run}")

    assert [t.pathspec for t in Task(f"{run.pathspec}/join/0").parent_tasks] == [
        f"{run.pathspec}/body/0000",
        f"{run.pathspec}/body/0001",
    ]
    assert [t.pathspec for t in Task(f"{run.pathspec}/body/0001").parent_tasks] == [f"{run.pathspec}/start/0"]
    assert names(Task(f"{run.pathspec}/start/0").child_tasks) == ["body/0000", "body/0001"]
