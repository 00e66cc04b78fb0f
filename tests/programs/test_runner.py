"""``Runner`` starts flows, tells how they stand, and says at once what is wrong with a call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.programs.executing import ExecutingRun
from airflow_mlflow_provider.programs.running import Runner
from tests.flow_runs import USER, FlowFile, is_alive
from tests.services.waiting import wait_until

FLOW = """
    class Program(FlowSpec):
        alpha = Parameter("alpha", default=0.5)
        names = Parameter("the-names", default="a", separator=",")
        options = Parameter("options", type=JSONType, default="{}")
        note = IncludeFile("note")
        count = Parameter("count", required=True, type=int)
        cfg = Config("cfg", default_value={"x": 1})

        @step
        def start(self):
            import pathlib, time
            print("é started")
            if self.count == -1:
                raise ValueError("no luck")
            while self.count == -2:
                pathlib.Path("waiting").touch()
                time.sleep(0.05)
            self.x = self.cfg.x
            self.next(self.end)

        @step
        def end(self):
            self.length = len(self.note or "")
            print("ended")
"""


@pytest.fixture
def flow(tmp_path: Path) -> FlowFile:
    """The flow."""
    return FlowFile(tmp_path, FLOW)


def runner(flow: FlowFile, **options: Any) -> Runner:
    return Runner(
        str(flow.path),
        show_output=False,
        env={"METAFLOW_USER": USER},
        cwd=str(flow.folder),
        datastore_root=flow.store,
        **options,
    )


def test_a_run_gets_parameters_options_and_configs(flow: FlowFile, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("four")
    with runner(flow, config_value=[("cfg", {"x": 7})], decospecs=["retry:times=1"]) as program:
        result = program.run(
            alpha=2,
            the_names=["x,y", "it's $5 `z`\n"],
            options={"deep": [1, None, "é"]},
            count=3,
            note=str(tmp_path / "note.txt"),
            tags=["one", "two words"],
            max_workers=2,
        )

        assert isinstance(result, ExecutingRun)
        assert (result.status, result.returncode) == ("successful", 0)
        run = result.run
        assert run.successful
        assert run.data is not None
        assert (run.data.alpha, run.data.count, run.data.x, run.data.length) == (2.0, 3, 7, 4)
        assert run.data.names == ["x,y", "it's $5 `z`\n"]
        assert run.data.options == {"deep": [1, None, "é"]}
        assert run.user_tags == {"one", "two words"}
        assert run.manifest.graph["end"].decorator("retry") is not None
        assert "é started" in result.stdout
        assert run.id in result.stderr


def test_a_failed_run_is_told_and_can_be_resumed(flow: FlowFile) -> None:
    with runner(flow) as program:
        failed = program.run(count=-1)
        assert (failed.status, failed.returncode) == ("failed", 1)
        assert "no luck" in failed.stdout + failed.stderr
        assert failed.run.status == "failed"

        resumed = program.resume(origin_run_id=failed.run.id, count=4)

    assert resumed.status == "successful"
    assert resumed.run.origin_pathspec == failed.run.pathspec
    assert resumed.run.data is not None
    assert resumed.run.data.count == 4


def test_wrong_calls_start_nothing(flow: FlowFile) -> None:
    with runner(flow) as program:
        with pytest.raises(ValueError, match=r"'beta'.*alpha.*count.*the_names") as unknown:
            program.run(beta=1, count=1)
        assert "max_workers" in str(unknown.value)
        with pytest.raises(ValueError, match="'count'"):
            program.run()
        with pytest.raises(TypeError, match=r"'count'.*int.*'3'.*str"):
            program.run(count="3")
        with pytest.raises(TypeError, match=r"'count'.*int.*True"):
            program.run(count=True)
        with pytest.raises(TypeError, match=r"'max_workers'.*int"):
            program.run(count=1, max_workers="two")
        with pytest.raises(TypeError, match=r"'tags'.*list"):
            program.run(count=1, tags="one")
        with pytest.raises(TypeError, match="'options'"):
            program.run(count=1, options={1, 2})
    assert not flow.ledger.flows()


def test_none_means_the_default(flow: FlowFile) -> None:
    with runner(flow) as program:
        result = program.run(count=1, alpha=None, tags=None)

    assert result.run.data is not None
    assert result.run.data.alpha == 0.5


def test_wrong_options_and_files_are_told_at_once(flow: FlowFile, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'branches'.*branch"):
        runner(flow, branches="x")
    with pytest.raises(TypeError, match=r"'environment'.*local, pypi, uv.*'moon'"):
        runner(flow, environment="moon")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.py"):
        Runner(str(tmp_path / "nowhere.py"))
    two = tmp_path / "two.py"
    two.write_text(
        "from airflow_mlflow_provider import FlowSpec\nclass A(FlowSpec): ...\nclass B(FlowSpec): ...\n"
    )
    with pytest.raises(RuntimeError, match=r"two\.py.*A, B"):
        Runner(str(two))
    none = tmp_path / "none.py"
    none.write_text("print('nothing')\n")
    with pytest.raises(RuntimeError, match=r"none\.py.*none"):
        Runner(str(none))
    none.write_text("import not_there\n")
    with pytest.raises(RuntimeError, match="not_there"):
        Runner(str(none))


def test_a_run_that_dies_before_it_has_an_id_is_told_at_once(tmp_path: Path) -> None:
    broken = FlowFile(
        tmp_path,
        """
        class Broken(FlowSpec):
            @step
            def start(self):
                self.next(self.nowhere)
        """,
    )
    with runner(broken) as program, pytest.raises(RuntimeError, match=r"exit code 1[\s\S]*nowhere"):
        program.run()


def test_runs_can_be_followed_and_waited_for(flow: FlowFile) -> None:
    async def follow() -> None:
        async with runner(flow) as program:
            first, second = await asyncio.gather(program.async_run(count=1), program.async_run(count=2))
            assert first.run.id != second.run.id
            lines = [(place, line) async for place, line in first.stream_log("stdout")]
            assert [line for _, line in lines if line.endswith("] ended")]
            again = [line async for _, line in first.stream_log("stdout", position=lines[0][0])]
            assert again == [line for _, line in lines[1:]]
            await second.wait()
            assert second.status == "successful"
            assert await first.wait() is first
            assert first.status == "successful"

    asyncio.run(follow())


def test_a_run_that_takes_too_long_is_ended(flow: FlowFile) -> None:
    async def follow() -> str:
        async with runner(flow) as program:
            result = await program.async_run(count=-2)
            assert result.status == "running"
            assert result.returncode is None
            assert (await result.wait(timeout=0.1)).returncode is not None
            return str(result.status)

    assert asyncio.run(follow()) == "timeout"


def test_killing_ends_the_process(flow: FlowFile, tmp_path: Path) -> None:
    async def follow() -> None:
        async with runner(flow) as program:
            result = await program.async_run(count=-2)
            await asyncio.to_thread(wait_until, (tmp_path / "waiting").exists, 30, lambda: result.stdout)
            pid = result.command_obj.pid
            result.command_obj.kill(termination_timeout=20)
            assert not is_alive(pid)
            assert result.status == "failed"
            assert result.returncode == 143
            assert result.run.status == "terminated"

    asyncio.run(follow())


def test_cleanup_ends_what_runs_and_removes_its_files(flow: FlowFile) -> None:
    program = runner(flow)
    result = asyncio.run(program.async_run(count=-2))
    log = result.command_obj.log_file("stdout")

    program.cleanup()

    assert not is_alive(result.command_obj.pid)
    assert not log.parent.exists()
