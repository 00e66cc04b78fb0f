"""Files that decorators and mutators add to the code package, in local runs and deployments."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.exception import CommandException, NonUniqueFileNameToFilePathMappingException
from airflow_mlflow_provider.runtime import package_cache
from airflow_mlflow_provider.runtime.package import build_package, unpack_package
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.flow_runs import FlowFile

SOURCE = """
    class adder(FlowMutator):
        def add_to_package(self):
            yield b"from a mutator", "made/by_mutator.txt", None

    @adder
    @package_sources("../elsewhere", arcname="more", suffixes=[".txt"])
    class Packaged(FlowSpec):
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(open_store((tmp_path / "store").as_uri()))


def _flow_file(folder: Path) -> Path:
    file = folder / "flow.py"
    file.write_text("x = 1\n", "utf-8")
    return file


def test_a_local_run_keeps_what_decorators_and_mutators_add(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep" / "words.txt").write_text("hello", "utf-8")
    (elsewhere / "words.csv").write_text("not this", "utf-8")
    run = FlowFile(tmp_path / "flow", SOURCE).run().succeeded()
    folder = unpack_package(run.ledger, run.record.code, tmp_path / "cache") / "flow"
    assert (folder / "more" / "deep" / "words.txt").read_text("utf-8") == "hello"
    assert (folder / "made" / "by_mutator.txt").read_bytes() == b"from a mutator"
    assert not (folder / "more" / "words.csv").exists()


def test_two_sources_for_one_path_are_both_named(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("y", "utf-8")
    with pytest.raises(NonUniqueFileNameToFilePathMappingException) as caught:
        build_package(_flow_file(tmp_path), contributions=[(other, "flow.py")])
    assert str(other) in str(caught.value)
    assert str(tmp_path / "flow.py") in str(caught.value)


def test_the_same_source_twice_is_one_file(tmp_path: Path) -> None:
    file = _flow_file(tmp_path)
    twice = build_package(file, contributions=[(file, "flow.py"), (b"a", "a.txt"), (b"a", "a.txt")])
    assert twice.members == ("flow/a.txt", "flow/flow.py")
    assert twice.digest == build_package(file, contributions=[(b"a", "a.txt")]).digest


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", ""])
def test_nothing_is_put_outside_of_the_package(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandException, match="outside"):
        build_package(_flow_file(tmp_path), contributions=[(b"x", name)])


def test_a_linked_folder_is_in_the_package_once_and_a_loop_ends(tmp_path: Path) -> None:
    flow_file = _flow_file(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "m.py").write_text("y = 1\n", "utf-8")
    (tmp_path / "same").symlink_to("lib")
    (tmp_path / "same_again").symlink_to("lib")
    (tmp_path / "lib" / "loop").symlink_to(tmp_path)
    members = build_package(flow_file).members
    assert members == ("flow/flow.py", "flow/lib/m.py", "flow/same/m.py")


def test_files_that_have_not_changed_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR", str(tmp_path / "temp"))
    monkeypatch.setattr(package_cache, "_SETTLED_NS", 0)
    (tmp_path / "code").mkdir()
    flow_file = _flow_file(tmp_path / "code")
    first = build_package(flow_file)
    (kept,) = (tmp_path / "temp").rglob("packages/*")
    kept.write_bytes(kept.read_bytes() + b"kept")
    assert build_package(flow_file).data == first.data + b"kept"
    flow_file.write_text("x = 2\n", "utf-8")
    changed = build_package(flow_file)
    assert changed.digest != first.digest
    assert build_package(flow_file) == changed
    monkeypatch.setattr(package_cache, "_MOST_KEPT", 1)
    (flow_file.parent / "more.py").write_text("", "utf-8")
    build_package(flow_file)
    assert len(list((tmp_path / "temp").rglob("packages/*"))) == 1


def test_modules_that_ask_for_it_are_in_the_package(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    (folder / "asking").mkdir(parents=True)
    (folder / "asking" / "__init__.py").write_text('FLOW_PACKAGE_POLICY = "include"\n', "utf-8")
    (folder / "asking" / "words.json").write_text("[]", "utf-8")
    (folder / "decorating.py").write_text(
        "from airflow_mlflow_provider import user_step_decorator\n\n"
        "@user_step_decorator\ndef around(step_name, flow, inputs):\n    yield\n",
        "utf-8",
    )
    (folder / "silent.py").write_text("", "utf-8")
    source = """
        import asking, decorating, silent

        class Importing(FlowSpec):
            @decorating.around
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
    """
    flow = FlowFile(tmp_path / "flow", source)
    listed = (
        flow.run("list", "--archive", command="package", environment={"PYTHONPATH": str(folder)})
        .succeeded()
        .stdout.split()
    )
    assert listed == [
        "flow/asking/__init__.py",
        "flow/asking/words.json",
        "flow/decorating.py",
        "flow/flow.py",
    ]
