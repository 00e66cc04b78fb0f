"""LINEAR_DAG, BRANCHING, FOREACH, NESTED_FOREACH and RESUME of the orchestrator kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.client import Run
from tests.capabilities.deployed import FLOWS, Deployments, data

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

WIDE = 2000


@pytest.mark.slow
def test_linear_dag(deployments: Deployments) -> None:
    run = deployments.run(deployments.deploy("basic/linear_flow.py"))
    assert run.successful
    assert {step.id for step in run} == {"start", "middle", "end"}
    assert data(run, "start").trail == ["start"]
    assert data(run, "end").trail == ["start", "middle", "end"]
    assert run.end_task is not None
    assert [parent.path_components[2] for parent in run.end_task.parent_tasks] == ["middle"]


def test_branching(deployments: Deployments) -> None:
    run = deployments.run(deployments.deploy("basic/branch_flow.py"))
    joined = data(run, "join")
    assert joined.names == ["zebra", "ant"]
    assert joined.by_step == (9, 6)
    end = data(run, "end")
    assert (end.stripes, end.legs, end.common) == (9, 6, "kept")


@pytest.mark.slow
def test_foreach(deployments: Deployments) -> None:
    deployed = deployments.deploy("basic/foreach_flow.py")
    runs = [deployed.trigger(width=width) for width in (3, 1)]
    for width, started in zip((3, 1), runs, strict=True):
        run = deployments.ended(started)
        assert data(run, "join").squares == [number**2 for number in range(width)]
        assert sorted(task.data.squared for task in run["square"]) == data(run, "join").squares


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_foreach_that_is_two_thousand_wide(workers: Deployments) -> None:
    # 32 task instances of some 60 splits each, rather than the 512 of the default: Airflow's own time for a task is not the point.
    deployed = workers.deploy("basic/foreach_flow.py", create={"max_map_width": 32})
    started = deployed.trigger(width=WIDE)
    started.wait_for_completion(check_interval=1, timeout=1500)
    run = workers.ended(started)
    assert data(run, "join").squares == [number**2 for number in range(WIDE)]
    assert len(list(run["square"])) == WIDE


def test_nested_foreach(deployments: Deployments) -> None:
    run = deployments.run(deployments.deploy("dag/nested_foreach_flow.py"))
    assert data(run, "outer_join").all_results == ["x-1", "y-1"]


@pytest.mark.slow
def test_nested_foreach_of_three_levels_with_a_switch_inside(deployments: Deployments) -> None:
    run = deployments.run(deployments.deploy("dag/deep_foreach_flow.py"))
    assert data(run, "join_xs").words == ["10a", "10B", "20a", "20B", "21a", "21B"]


@pytest.mark.slow
def test_resume(deployments: Deployments, tmp_path: Path) -> None:
    file = tmp_path / "resume_flow.py"
    file.write_text((FLOWS / "dag" / "resume_flow.py").read_text())
    failed = deployments.run(deployments.deploy(file), "Failed")
    file.write_text(file.read_text().replace("if self.input == 2:", "if False:"))
    deployed = deployments.deploy(file)
    resumed = deployments.ended(deployed.resume(failed.id))
    assert data(resumed, "join").results == [10, 20, 30]
    assert resumed.origin_pathspec == failed.pathspec
    origins = {task.id: task.origin_pathspec for task in resumed["body"]}
    assert origins == {
        "0000": f"{failed.pathspec}/body/0000",
        "0001": None,
        "0002": f"{failed.pathspec}/body/0002",
    }
    assert _origin(resumed, "start") == f"{failed.pathspec}/start/0"
    assert _origin(resumed, "join") is None


def _origin(run: Run, step: str) -> str | None:
    task = run[step].task
    assert task is not None
    return task.origin_pathspec
