"""Flows, runs, steps, tasks and artifacts read back what runs have stored."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.client import DataArtifact, Flow, Metaflow, MetaflowObject, Run, Step, Task
from airflow_mlflow_provider.exception import MetaflowInvalidPathspec, MetaflowNotFound
from tests.flow_runs import FlowFile, FlowRun


def run_of(made: FlowRun) -> Run:
    return Run(f"{made.flow}/{made.run}")


def test_a_run_shows_its_artifacts_parameters_and_verdict(foreach_run: FlowRun) -> None:
    run = run_of(foreach_run)

    assert (run.id, run.pathspec, run.path_components) == (
        foreach_run.run,
        f"Foreach/{foreach_run.run}",
        ["Foreach", foreach_run.run],
    )
    assert run.data is not None
    assert (run.data.alpha, run.data.letters, run.data.DIGITS) == (0.25, ["a", "b"], (1, 2))
    assert run.data.doubled == ["appleapple", "pearpear"]
    assert (run.successful, run.finished, run.status, run.failed, run.reason) == (
        True,
        True,
        "succeeded",
        False,
        "",
    )
    assert run.parameters == {"alpha": 0.25, "letters": ["a", "b"]}
    assert run.data._artifacts["alpha"] == DataArtifact(f"{run.pathspec}/end/0/alpha")
    assert run.end_task == Task(f"{run.pathspec}/end/0")
    assert run.finished_at is not None
    assert run.ended_at is not None
    assert run.created_at < run.finished_at <= run.ended_at
    assert run.trigger is None
    assert run.airflow_url is None
    assert run.origin_pathspec is None
    assert run.failed_tasks == []


def test_children_come_newest_first(foreach_run: FlowRun) -> None:
    run = run_of(foreach_run)

    assert [step.id for step in run] == ["end", "join", "body", "start"]
    assert [task.data.alpha for task in run["_parameters"]] == [0.25]
    assert list(Step(f"{run.pathspec}/_parameters").parent_steps) == []
    assert [step.id for step in run.steps("nightly")] == ["end", "join", "body", "start"]
    assert list(run.steps("weekly")) == []
    assert [task.index for task in run["body"]] == [1, 0]
    assert list(run["body"].tasks("nightly", "a b")) == list(run["body"])
    assert list(run["body"].tasks("weekly")) == []


def test_children_are_found_by_id_and_know_their_parents(foreach_run: FlowRun) -> None:
    run = run_of(foreach_run)
    artifact = run["join"]["0"]["doubled"]

    assert repr(artifact) == f"DataArtifact('{run.pathspec}/join/0/doubled')"
    assert artifact.parent == Task(f"{run.pathspec}/join/0")
    assert artifact.parent.parent == Step(f"{run.pathspec}/join")
    assert artifact.parent.parent.parent == run
    assert run.parent == Flow("Foreach")
    assert run.parent.parent is None
    assert "join" in run
    assert "nowhere" not in run
    assert "doubled" in run["join"]["0"]
    with pytest.raises(KeyError, match="nowhere"):
        run["nowhere"]
    with pytest.raises(KeyError):
        run["join"]["7"]
    with pytest.raises(KeyError):
        run["join"]["0"]["nothing"]
    with pytest.raises(KeyError):
        Flow("Foreach")["0"]


def test_an_artifact_shows_value_size_digest_and_time(foreach_run: FlowRun) -> None:
    task = run_of(foreach_run)["join"].task
    assert task is not None

    artifact = task["doubled"]

    assert artifact.data == ["appleapple", "pearpear"]
    assert artifact.size > 0
    assert len(artifact.sha) == 64
    assert artifact.finished_at == artifact.created_at == task.finished_at
    assert task.artifacts.doubled == artifact
    assert {"doubled", "alpha", "seen"} <= set(task.artifacts._fields)
    assert [a.id for a in task if a.id.startswith("_")] == []


def test_a_task_shows_what_it_printed(foreach_run: FlowRun) -> None:
    task = Task(f"Foreach/{foreach_run.run}/start/0")

    assert task.stdout == "to out\n"
    assert task.stderr == "é to err\n"
    assert (task.stdout_size, task.stderr_size) == (7, 10)
    [(moment, line)] = list(task.loglines("stderr"))
    assert line == "é to err"
    assert moment.tzinfo is not None
    assert next(iter(task.loglines("stderr", as_unicode=False)))[1] == "é to err".encode()


def test_a_caught_task_is_finished_and_not_successful(foreach_run: FlowRun) -> None:
    whole, caught = (Task(f"Foreach/{foreach_run.run}/body/000{i}") for i in range(2))

    assert (whole.finished, whole.successful, whole.status) == (True, True, "succeeded")
    assert (caught.finished, caught.successful, caught.status) == (True, False, "succeeded")
    assert "rotten" in str(caught["problem"].data)
    assert caught.exception is not None
    assert "rotten" in str(caught.exception)
    assert whole.exception is None


def test_a_failed_task_shows_its_exception_and_no_artifacts(broken_run: FlowRun) -> None:
    run = run_of(broken_run)
    task = Task(f"{run.pathspec}/body/0001")

    assert (run.status, run.failed, run.finished, run.successful) == ("failed", True, False, False)
    assert (run.data, run.end_task, run.finished_at) == (None, None, None)
    assert run.ended_at is not None
    assert run.failed_tasks == [task]
    assert "not fixed" in run.reason
    assert (task.finished, task.successful, task.status) == (False, False, "failed")
    assert task.exception is not None
    assert task.exception.type == "builtins.RuntimeError"
    assert "not fixed" in task.exception.exception
    assert list(task) == []
    assert task.attempts == [0]
    assert task.current_attempt == 0


def test_metadata_has_the_names_of_metaflow(foreach_run: FlowRun, store: str) -> None:
    task = Task(f"Foreach/{foreach_run.run}/body/0000")
    found = task.metadata_dict

    assert found["attempt"] == "0"
    assert found["attempt-done"] == "0"
    assert found["attempt_ok"] == "True"
    assert found["foreach-stack"] == ["items=apple"]
    assert found["foreach-execution-path"] == "body:0"
    assert found["user"] == "tester"
    assert (found["ds-type"], found["ds-root"]) == ("local", store)
    assert found["script-name"] == "flow.py"
    assert found["code-package"] == task.parent.parent._record.code
    assert all(fact.task == task and fact.type == fact.name for fact in task.metadata)
    assert task.runtime_name == "dev"
    assert task.environment_info["type"] == "local"


def test_private_artifacts_follow_from_the_record(foreach_run: FlowRun) -> None:
    run = run_of(foreach_run)
    task = run["body"]["0001"]

    [frame] = task["_foreach_stack"].data
    assert (frame.step, frame.var, frame.num_splits, frame.index, frame.value) == (
        "body",
        "items",
        2,
        1,
        "pear",
    )
    assert task.data._current_step == "body"
    assert task.data._task_ok is True
    assert task.data._success is False
    assert "rotten" in task.data._catch_exception
    start = run["start"].task
    assert start is not None
    assert start.data._foreach_var == "items"
    assert start.data._foreach_num_splits == 2
    assert start.data._transition == (["body"], "items")
    assert start.data._graph_info["steps"]["start"]["type"] == "split-foreach"
    assert start.data._graph_info["constants"] == [{"name": "DIGITS"}]
    assert not hasattr(start.data, "_nothing")
    join = run["join"].task
    assert join is not None
    assert join.data.private == {
        "step": "join",
        "type": "join",
        "inputs": ["body", "body"],
        "graph": True,
        "ok": None,
    }


def test_code_can_be_read_and_unpacked(foreach_run: FlowRun) -> None:
    code = run_of(foreach_run).code
    assert code is not None

    assert code.script_name == "flow.py"
    assert "class Foreach(FlowSpec)" in code.flowspec
    assert code.info["digest"] in code.path
    assert any(name.endswith("flow.py") for name in code.tarball.getnames())
    with code.extract() as unpacked:
        assert (Path(unpacked) / code.script_name).read_text() == code.flowspec
    with run_of(foreach_run)["start"].task.code.extract() as unpacked:  # type: ignore[union-attr]
        assert list(Path(unpacked).rglob("flow.py"))


def test_reproduce_gives_the_command_line(foreach_run: FlowRun) -> None:
    made = run_of(foreach_run).reproduce()

    assert made["command"] == "python flow.py run --alpha 0.25 --tag nightly --tag 'a b'"
    assert made["code"] == run_of(foreach_run)._record.code


def test_steps_of_a_task_see_the_run_that_is_under_way(foreach_run: FlowRun) -> None:
    seen = run_of(foreach_run)["join"].task["seen"].data  # type: ignore[index]

    assert seen == {
        "run": f"Foreach/{foreach_run.run}",
        "task": f"Foreach/{foreach_run.run}/join/0",
        "alpha": 0.25,
        "namespace": "user:tester",
        "latest": True,
    }


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (Flow, "Flow"),
        (Run, "Flow/run"),
        (Step, "Flow/run/step"),
        (Task, "Flow/run/step/task"),
        (DataArtifact, "Flow/run/step/task/artifact"),
    ],
)
def test_a_pathspec_of_the_wrong_length_names_the_right_one(
    kind: type[MetaflowObject[Any]], shape: str
) -> None:
    for wrong in (f"{shape}/more", "", f"{shape}/", "/" + shape):
        with pytest.raises(MetaflowInvalidPathspec, match=shape) as caught:
            kind(wrong)
        assert repr(wrong) in str(caught.value) or f"'{wrong}'" in str(caught.value)


@pytest.mark.parametrize(
    "pathspec",
    ["Nothing", "Foreach/1", "Foreach/{run}/gone", "Foreach/{run}/end/9", "Foreach/{run}/end/0/gone"],
)
def test_what_is_absent_is_not_found(foreach_run: FlowRun, pathspec: str) -> None:
    kinds = [Flow, Run, Step, Task, DataArtifact]
    written = pathspec.format(run=foreach_run.run)
    kind = kinds[written.count("/")]

    with pytest.raises(MetaflowNotFound) as caught:
        kind(written)

    assert written in str(caught.value)


@pytest.mark.parametrize("attempt", [-1, "0", True, 1.5])
def test_an_attempt_that_cannot_be_is_not_found(foreach_run: FlowRun, attempt: object) -> None:
    with pytest.raises(MetaflowNotFound, match="no attempt"):
        Task(f"Foreach/{foreach_run.run}/end/0", attempt=attempt)  # type: ignore[arg-type]


def test_other_objects_take_no_attempt(foreach_run: FlowRun) -> None:
    for kind, path in ((Flow, "Foreach"), (Run, f"Foreach/{foreach_run.run}")):
        with pytest.raises(MetaflowNotFound, match="no attempt"):
            kind(path, attempt=0)


def test_each_attempt_can_be_read(folder: Path, store: str) -> None:
    made = (
        FlowFile(
            folder / "tries",
            """
            class Tries(FlowSpec):
                @retry(times=1, minutes_between_retries=0)
                @step
                def start(self):
                    self.tries = current.retry_count
                    print("try", self.tries)
                    if not self.tries:
                        raise KeyError("first")
            """,
            store,
        )
        .run()
        .succeeded()
    )
    path = f"Tries/{made.run}/start/0"

    newest, first, second = Task(path), Task(path, attempt=0), Task(path, attempt=1)

    assert (newest.current_attempt, newest.attempts) == (1, [0, 1])
    assert (first.finished, first.status, second.finished) == (False, "failed", True)
    assert "first" in str(first.exception)
    assert newest.exception is None
    assert (first.stdout, second.stdout, newest.stdout) == ("try 0\n", "try 1\n", "try 1\n")
    assert second["tries"].data == newest["tries"].data == 1
    assert DataArtifact(f"{path}/tries", attempt=1).data == 1
    assert repr(second) == f"Task('{path}', attempt=1)"
    with pytest.raises(MetaflowNotFound, match=r"\[0, 1\]"):
        Task(path, attempt=2)


def test_objects_survive_pickling(foreach_run: FlowRun) -> None:
    run = run_of(foreach_run)
    task = run["join"].task
    assert task is not None
    objects: list[MetaflowObject[Any]] = [run.parent, run, run["join"], task, task["doubled"]]

    for made in objects:
        again = pickle.loads(pickle.dumps(made))
        assert again == made
        assert hash(again) == hash(made)
        assert repr(again) == repr(made)
    assert pickle.loads(pickle.dumps(task["doubled"])).data == ["appleapple", "pearpear"]


def test_notebooks_show_tables_without_user_markup(foreach_run: FlowRun) -> None:
    run = run_of(foreach_run)
    run.add_tag("<script>")
    try:
        shown = run._repr_html_()
    finally:
        run.remove_tag("<script>")
    task = run["join"].task
    assert task is not None

    assert "succeeded" in shown
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert foreach_run.run in run.parent._repr_html_()
    assert "2 succeeded" in run["body"]._repr_html_()
    assert "doubled" in task._repr_html_()
    assert "list" in task["doubled"]._repr_html_()


def test_metaflow_lists_flows_with_runs_in_the_namespace(foreach_run: FlowRun, broken_run: FlowRun) -> None:
    names = [flow.id for flow in Metaflow()]

    assert {"Foreach", "Broken"} <= set(names)
    assert Metaflow()["Foreach"].latest_run == run_of(foreach_run)
    assert Metaflow().flows == list(Metaflow())
    assert "Foreach" in Metaflow()
    with pytest.raises(KeyError):
        Metaflow()["Nothing"]
