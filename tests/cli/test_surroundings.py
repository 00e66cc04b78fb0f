"""What stands around a run: project, files, triggers, namespace, configs and decorators given on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.client import Run, namespace
from tests.flow_runs import FlowFile, FlowRun

SURROUNDED = """
    def upper(text):
        print("parsing")
        return text.upper()

    @trigger(event={"name": "loaded", "parameters": {"alpha": "level"}})
    @trigger_on_finish(flow="Upstream")
    @project(name="shop")
    class Surrounded(FlowSpec):
        alpha = Parameter("alpha", default=1)
        words = IncludeFile("words", default="words.txt", parser=upper)
        raw = IncludeFile("raw", is_text=False)
        cfg = Config("settings", default_value={"depth": 3, "names": ["a"]})

        @resources(memory=config_expr("cfg.depth * 100"))
        @step
        def start(self):
            self.project = (current.project_name, current.branch_name, current.is_user_branch,
                            current.is_production, current.project_flow_name)
            self.twice = self.words + self.words
            self.size = None if self.raw is None else len(self.raw)
            self.depth = self.cfg.depth
            self.seen = get_namespace()
            self.events = [e.name for e in current.trigger] if "trigger" in current else []
            self.upstream = current.trigger.run.pathspec if self.events and current.trigger.run else None
            try:
                current.trigger
            except AttributeError as error:
                self.untriggered = str(error)
            self.next(self.left, self.right)

        @step
        def left(self):
            self.next(self.join)

        @step
        def right(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs)
            self.of_inputs = [i.words for i in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    """The flow and its file of words."""
    (tmp_path / "words.txt").write_text("hé ", "utf-8")
    return FlowFile(tmp_path, SURROUNDED)


def client_run(made: FlowRun, store: str) -> Run:
    return Run(f"{made.flow}/{made.run}", _namespace_check=False, _store=store)


def test_a_local_run_belongs_to_a_branch_of_its_project(flow: FlowFile) -> None:
    user = flow.run().succeeded()
    assert user.value("project") == ("shop", "user.tester", True, False, "shop.user.tester.Surrounded")
    assert {"project:shop", "project_branch:user.tester"} <= set(user.record.system_tags)

    test = flow.run(top=["--branch", "new"]).succeeded()
    assert test.value("project")[1:4] == ("test.new", False, False)

    production = flow.run(top=["--production", "--branch", "b"]).succeeded()
    assert production.value("project")[1:4] == ("prod.b", False, True)
    assert "project_branch:prod.b" in production.record.system_tags
    assert "@project(name='shop'" in flow.run(command="show").succeeded().stdout


def test_a_branch_needs_a_project(tmp_path: Path) -> None:
    run = FlowFile(
        tmp_path,
        """
        class Alone(FlowSpec):
            @step
            def start(self):
                pass
        """,
    ).run(top=["--branch", "b"])

    assert run.failed().stderr.count("@project") >= 1
    assert not run.ledger.flows()


def test_files_are_read_once_and_kept_with_the_run(flow: FlowFile, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"\x00\xff" * 10)

    run = flow.run("--raw", str(other)).succeeded()
    other.unlink()
    (tmp_path / "words.txt").unlink()

    assert run.value("twice") == "HÉ HÉ "
    assert run.value("of_inputs") == ["HÉ ", "HÉ "]
    assert run.value("size") == 20
    assert run.text("start").count("parsing") == 1
    read = client_run(run, flow.store)
    assert read.data is not None
    assert read.data.words == "hé "
    assert read.data.raw == b"\x00\xff" * 10
    assert read["end"].task is not None
    assert read["end"].task["words"].data == "hé "
    assert run.record.parameters["raw"]["size"] == 20
    assert run.value("words").descriptor["encoding"] == "utf-8"


def test_a_file_that_is_not_there_starts_nothing(flow: FlowFile, tmp_path: Path) -> None:
    run = flow.run("--raw", str(tmp_path / "nowhere"))
    assert run.failed(2 if "Usage" in run.stderr else 1).stderr.count("nowhere") >= 1

    (tmp_path / "words.txt").unlink()
    run = flow.run()
    assert "words.txt" in run.failed().stderr
    assert not run.ledger.flows()


def test_an_event_can_be_emulated(flow: FlowFile) -> None:
    run = flow.run(top=["--trigger-event", 'loaded:{"level": 7}']).succeeded()

    assert run.value("events") == ["loaded"]
    assert run.value("alpha") == 7
    assert run.value("upstream") is None
    trigger = client_run(run, flow.store).trigger
    assert trigger is not None
    assert trigger["loaded"].type == "event"  # type: ignore[union-attr]
    metadata = client_run(run, flow.store)["end"].task.metadata_dict  # type: ignore[union-attr]
    assert "loaded" in metadata["execution-triggers"]
    given = flow.run("--alpha", "8", top=["--trigger-event", 'loaded:{"level": 7}']).succeeded()
    assert given.value("alpha") == 8


def test_events_that_do_not_fit_are_usage_errors(flow: FlowFile) -> None:
    assert "loaded" in flow.run(top=["--trigger-event", "other"]).failed(2).stderr
    assert "JSON" in flow.run(top=["--trigger-event", "loaded:{"]).failed(2).stderr
    wrong = flow.run(top=["--trigger-event", 'loaded:{"level": "x"}'])
    assert "alpha" in wrong.failed().stderr


def test_the_end_of_another_run_can_be_emulated(flow: FlowFile, tmp_path: Path) -> None:
    upstream = FlowFile(
        tmp_path / "up",
        """
        class Upstream(FlowSpec):
            fail = Parameter("fail", default=False)

            @step
            def start(self):
                assert not self.fail
        """,
        flow.store,
    )
    good = upstream.run().succeeded()
    assert good.run
    bad = upstream.run("--fail", "true").failed()

    run = flow.run(top=["--trigger", f"Upstream/{good.run}"]).succeeded()

    assert run.value("upstream") == f"Upstream/{good.run}"
    failed = flow.run(top=["--trigger", f"Upstream/{bad.run}"]).failed()
    assert f"Upstream/{bad.run}" in failed.stderr
    assert "failed" in failed.stderr
    assert "Upstream/none" in flow.run(top=["--trigger", "Upstream/none"]).failed().stderr


def test_without_an_event_there_is_no_trigger(flow: FlowFile) -> None:
    run = flow.run().succeeded()

    assert run.value("events") == []
    assert "@trigger" in run.value("untriggered")
    assert client_run(run, flow.store).trigger is None


def test_the_namespace_option_is_that_of_the_client_in_steps(flow: FlowFile) -> None:
    assert flow.run().succeeded().value("seen") == "user:tester"
    assert flow.run("--namespace", "user:other").succeeded().value("seen") == "user:other"
    everything = flow.run("--namespace", "").succeeded()
    assert everything.value("seen") is None
    assert "user:tester" in everything.record.system_tags
    namespace(None)


def test_configs_reach_steps_and_decorators(flow: FlowFile) -> None:
    run = flow.run(top=["--config-value", "settings", '{"depth": 5}']).succeeded()

    assert run.value("depth") == 5
    assert run.value("cfg").depth == 5
    manifest = client_run(run, flow.store).manifest
    assert manifest.configs == {"settings": {"depth": 5}}
    resources = manifest.graph["start"].decorator("resources")
    assert resources is not None
    assert int(resources.attributes["memory"]) == 500


def test_decorators_can_be_added_to_all_steps(flow: FlowFile) -> None:
    run = flow.run(top=["--with", "retry:times=2"]).succeeded()

    graph = client_run(run, flow.store).manifest.graph
    assert all(node.decorator("retry") is not None for node in graph)
    assert graph["start"].decorator("retry").attributes["times"] == 2  # type: ignore[union-attr]
