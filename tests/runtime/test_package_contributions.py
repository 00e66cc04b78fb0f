"""Files that decorators and mutators add to the code package, in local runs and deployments."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.exception import CommandException, NonUniqueFileNameToFilePathMappingException
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
