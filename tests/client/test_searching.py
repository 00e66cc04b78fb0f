"""Finding runs, tasks and artifacts of the DAGs that one may look at."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from airflow_mlflow_provider.client.searching import Finding, Search, SearchBy
from airflow_mlflow_provider.client.tagging import change_tags
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord, run_prefix
from tests.flow_runs import FlowFile

SOURCE = """
class FoundFlow(FlowSpec):
    base = Parameter("base", default=1)

    @step
    def start(self):
        self.model = "a" * self.base
        self.next(self.middle)

    @step
    def middle(self):
        self.models = [self.model]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, list[RunRecord]]:
    """Three runs, newest first, the oldest of which belongs to another DAG; as Airflow would have run them."""
    flow = FlowFile(tmp_path_factory.mktemp("found"), SOURCE)
    made = []
    for number, dag in enumerate(("Other", "FoundFlow", "FoundFlow")):
        record = flow.run("--base", str(number + 1), "--tag", f"Night {number}").succeeded().record
        record = msgspec.structs.replace(record, airflow={"dag_id": dag, "dag_run_id": f"manual__{number}"})
        flow.ledger.store.put(f"{run_prefix(record.flow, record.run)}/run.json", msgspec.json.encode(record))
        made.append(record)
    change_tags(flow.ledger, made[1], [], ["best"])
    return flow.ledger, made[::-1]


def find(
    runs: tuple[Ledger, list[RunRecord]], query: str, by: SearchBy = "pathspec", **more: Any
) -> list[Finding]:
    return list(Search(runs[0], {"FoundFlow": ["FoundFlow"]}).page(query, by, **more).found)


def paths(found: list[Finding]) -> list[str]:
    return [one.pathspec for one in found]


def test_a_pathspec_is_found_by_its_beginning_at_every_level(runs: tuple[Ledger, list[RunRecord]]) -> None:
    newest, second, _ = runs[1]
    assert [(one.kind, one.dag_id) for one in find(runs, "found")] == [("flow", "FoundFlow")]
    assert paths(find(runs, "FoundFlow/")) == ["FoundFlow"]
    assert paths(find(runs, f"FoundFlow/{newest.run}")) == [f"FoundFlow/{newest.run}"]
    assert set(paths(find(runs, "FoundFlow/2"))) == {f"FoundFlow/{one.run}" for one in (newest, second)}
    assert paths(find(runs, f"foundflow/{newest.run}/mid")) == [f"FoundFlow/{newest.run}/middle"]
    assert paths(find(runs, f"FoundFlow/{newest.run}/middle/")) == [f"FoundFlow/{newest.run}/middle"]
    assert paths(find(runs, f"FoundFlow/{newest.run}/middle/0")) == [f"FoundFlow/{newest.run}/middle/0"]
    (artifact,) = find(runs, f"FoundFlow/{newest.run}/middle/0/models")
    assert (artifact.kind, artifact.type, artifact.dag_run_id) == ("artifact", "list", "manual__2")
    assert find(runs, "Nothing") == find(runs, " ") == []


def test_a_tag_is_found_by_a_part_of_it_and_only_in_dags_that_may_be_looked_at(
    runs: tuple[Ledger, list[RunRecord]],
) -> None:
    newest, second, _ = runs[1]
    found = find(runs, "night", "tag")
    assert [(one.pathspec, one.tags) for one in found] == [
        (f"FoundFlow/{newest.run}", ("Night 2",)),
        (f"FoundFlow/{second.run}", ("Night 1",)),
    ]
    assert paths(find(runs, "best", "tag")) == [f"FoundFlow/{second.run}"]
    assert find(runs, "Night 0", "tag") == []


def test_an_artifact_is_found_where_it_was_first_set(runs: tuple[Ledger, list[RunRecord]]) -> None:
    found = find(runs, "model", "artifact")
    assert [one.pathspec.split("/", 2)[2] for one in found] == ["start/0/model", "middle/0/models"] * 2
    assert found[0].preview["repr"] == "'aaa'"


def test_a_page_says_where_the_next_one_begins(runs: tuple[Ledger, list[RunRecord]]) -> None:
    search = Search(runs[0], {"FoundFlow": ["FoundFlow"]})
    first = search.page("night", "tag", limit=1)
    second = search.page("night", "tag", first.next, limit=1)
    third = search.page("night", "tag", second.next, limit=1)
    assert [first.is_full, second.is_full, third.is_full] == [True, True, False]
    assert paths([*first.found, *second.found]) == paths(find(runs, "night", "tag"))
    assert (third.found, third.next) == ((), "")


def test_when_the_time_is_up_the_search_says_so_and_can_go_on(runs: tuple[Ledger, list[RunRecord]]) -> None:
    hurried = Search(runs[0], {"FoundFlow": ["FoundFlow"]}, seconds=0.0)
    places: list[str] = []
    found: list[Finding] = []
    after = ""
    while True:
        page = hurried.page("best", "tag", after)
        found += page.found
        if not page.next:
            break
        assert not page.is_full
        places.append(after := page.next)
    assert places == [f"FoundFlow/{one.run}" for one in runs[1][:2]]
    assert paths(found) == [f"FoundFlow/{runs[1][1].run}"]
