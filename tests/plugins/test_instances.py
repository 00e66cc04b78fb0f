"""What the tab of a task instance tells: its tasks, where its inputs come from, what it ran in, how to run it again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import pytest

from tests.plugins.conftest import FailedRun

pytestmark = pytest.mark.live


def told(run: FailedRun, path: str, user: str = "admin") -> Any:
    """What a route of the run answers."""
    answer = run.ask(user, f"{run.path}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_mapped_task_instance_names_its_task_and_split(failed_run: FailedRun) -> None:
    found = told(failed_run, "instances/body/1")
    assert (found["label"], found["steps"], found["task_count"]) == ("items=2", ["body"], 1)
    (task,) = found["tasks"]
    assert (task["step"], task["task"], task["state"]) == ("body", "0001", "failed")
    assert [(one["var"], one["index"], one["label"]) for one in task["labels"]] == [("items", 1, "2")]


def test_what_has_no_task_says_why(failed_run: FailedRun) -> None:
    assert "not opened" in told(failed_run, "instances/body/7")["note"]
    assert "not begun" in told(failed_run, "instances/end/-1")["note"]
    assert "no step" in told(failed_run, "instances/nothing/-1")["note"]


def test_each_input_names_the_task_that_made_it_and_its_place_in_airflow(failed_run: FailedRun) -> None:
    page = told(failed_run, "steps/body/tasks/0000/inputs")
    inputs = {one["name"]: one for one in page["artifacts"]}
    assert page["total"] == len(inputs)
    assert inputs["limit"]["is_given"]
    assert inputs["limit"]["made_by"] is None
    assert inputs["limit"]["was_read"]
    assert not inputs["remark"]["was_read"]
    maker = inputs["items"]["made_by"]
    assert maker["pathspec"].endswith("/start/0")
    assert (maker["dag_id"], maker["dag_run_id"]) == ("BrokenFlow", failed_run.dag_run_id)
    assert (maker["task_id"], maker["map_index"]) == ("start", -1)
    assert page["artifacts"][0]["name"] == "limit", "what was read comes first"


def test_inputs_come_in_pages(failed_run: FailedRun) -> None:
    names, cursor = [], ""
    while True:
        page = told(failed_run, f"steps/body/tasks/0000/inputs?limit=1&cursor={cursor}")
        names += [one["name"] for one in page["artifacts"]]
        cursor = page["next"]
        if not cursor:
            break
    assert names == [one["name"] for one in told(failed_run, "steps/body/tasks/0000/inputs")["artifacts"]]


def test_the_command_that_is_shown_runs_the_step_again(failed_run: FailedRun) -> None:
    about = told(failed_run, "steps/body/tasks/0002/attempts/0/circumstances")
    assert about["facts"]["Runs on"] == "a worker of Airflow"
    assert about["origin"] is None
    words = shlex.split(about["spin"])
    assert words[:2] == ["python", failed_run.file.name]
    spun = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=failed_run.file.parent,
        env=failed_run.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert spun.returncode == 0, spun.stderr
    assert "body/0002" in spun.stdout + spun.stderr


def test_what_is_unchanged_is_not_sent_again(failed_run: FailedRun) -> None:
    path = f"{failed_run.path}/steps/body/tasks/0002/inputs"
    tag = failed_run.ask("admin", path).headers["etag"]
    again = failed_run.ask("admin", path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
