"""Tags change atomically, whoever else changes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider.client import Run, Task
from airflow_mlflow_provider.client.tagging import put_first_tags
from airflow_mlflow_provider.exception import MetaflowTaggingError
from airflow_mlflow_provider.store.user_tags import user_tags
from tests.client.flows import BROKEN
from tests.flow_runs import FlowFile

ADDER = """
import sys
from airflow_mlflow_provider.client import Run, metadata
metadata(sys.argv[1])
run = Run(sys.argv[2], _namespace_check=False)
for number in range(10):
    run.replace_tags([f"{sys.argv[3]}-{number - 1}"] if number % 2 else [], [f"{sys.argv[3]}-{number}"])
"""


@pytest.fixture
def run(folder: Path, store: str) -> Run:
    """A run of its own, with two tags."""
    made = FlowFile(folder / "tags", BROKEN.replace("Broken", "Tagged"), store).run(
        "--tag", "one", "--tag", "two"
    )
    return Run(f"Tagged/{made.run}")


def test_tags_are_added_removed_and_replaced(run: Run) -> None:
    assert run.user_tags == {"one", "two"}
    assert {"user:tester", "runtime:dev"} <= run.system_tags
    assert run.tags == run.user_tags | run.system_tags

    run.add_tag("three")
    run.add_tag(["four", "five"])
    run.add_tags(["six"])
    assert run.user_tags == {"one", "two", "three", "four", "five", "six"}
    run.remove_tag("six")
    run.remove_tags(["five", "never there"])
    run.replace_tag("four", "4")
    run.replace_tags(["three", "4"], ["3", "three"])
    assert run.user_tags == {"one", "two", "three", "3"}
    assert Task(f"{run.pathspec}/start/0").user_tags == run.user_tags
    assert run["start"].tags == run.tags


def test_a_run_may_be_given_its_tags_before_it_begins(run: Run) -> None:
    waiting = msgspec.structs.replace(run._record, run="not-begun")
    put_first_tags(run._ledger, waiting.flow, waiting.run, ["b", "a", "b"])
    assert user_tags(run._ledger, waiting) == {"a", "b"}


def test_system_tags_can_be_neither_removed_nor_doubled(run: Run) -> None:
    run.add_tag("runtime:dev")
    assert "runtime:dev" not in run.user_tags

    with pytest.raises(MetaflowTaggingError, match="runtime:dev"):
        run.remove_tag("runtime:dev")
    with pytest.raises(MetaflowTaggingError, match="user:tester"):
        run.replace_tag("user:tester", "user:me")
    assert run.user_tags == {"one", "two"}


@pytest.mark.parametrize("tag", ["", "x" * 501, 7, None, "\ud800"])
def test_what_is_no_tag_is_refused_and_nothing_changes(run: Run, tag: object) -> None:
    with pytest.raises(MetaflowTaggingError, match=r"cannot be a tag"):
        run.replace_tags(["one"], ["good", tag])  # type: ignore[list-item]
    with pytest.raises(MetaflowTaggingError, match=r"cannot be a tag"):
        run.add_tag(tag)  # type: ignore[arg-type]

    assert run.user_tags == {"one", "two"}


def test_fifty_tags_are_the_most_but_a_larger_set_may_shrink(run: Run) -> None:
    run.add_tags([f"t{n}" for n in range(48)])
    assert len(run.user_tags) == 50

    with pytest.raises(MetaflowTaggingError, match="50"):
        run.add_tag("one more")
    run.replace_tag("t0", "one more")
    assert len(run.user_tags) == 50


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_changes_of_several_processes_are_all_kept(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bucket = request.getfixturevalue("s3_bucket") if kind == "s3" else ""
    url = f"s3://{bucket}/flows" if bucket else (tmp_path / "store").as_uri()
    made = FlowFile(tmp_path / "tags", BROKEN.replace("Broken", "Tagged"), url).run("--tag", "one")
    run = Run(f"Tagged/{made.run}", _namespace_check=False, _store=url)
    command = [sys.executable, "-c", ADDER, url, run.pathspec]

    adders = [subprocess.Popen([*command, f"p{number}"], stderr=subprocess.PIPE) for number in range(4)]
    seen = [run.user_tags]
    while any(adder.poll() is None for adder in adders):
        seen.append(run.user_tags)
    errors = [adder.communicate(timeout=60)[1].decode() for adder in adders]

    assert [adder.returncode for adder in adders] == [0] * 4, errors
    expected = {f"p{process}-{number}" for process in range(4) for number in range(1, 10, 2)}
    assert run.user_tags == {"one"} | expected
    # Of each process, a replacement is seen as a whole: the tag before it, or the one after it.
    for process in range(4):
        odd = [{tag for tag in tags if tag in (f"p{process}-0", f"p{process}-1")} for tags in seen]
        assert all(len(tags) <= 1 for tags in odd)
        first = next((place for place, tags in enumerate(odd) if tags), len(odd))
        assert all(len(tags) == 1 for tags in odd[first:])
