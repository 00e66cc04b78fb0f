"""The card of a whole flow, from records alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_mlflow_provider.cards.document import CardDocument
from airflow_mlflow_provider.cards.flow_card import flow_card
from airflow_mlflow_provider.client.summaries import last_runs
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.cards.pages import shown
from tests.flow_runs import FlowFile
from tests.services.accessibility import accessibility_findings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SOURCE = '''
@schedule(cron="5 4 * * *", timezone="Europe/Berlin")
class ScoredFlow(FlowSpec):
    """Has a *score*."""
    base = Parameter("base", default=1.5, help="where the score begins")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        if self.base < 0:
            raise ValueError("below zero")
        self.score = self.base * 2
        self.score_is_small = self.score < 3
        self.words = "no number"
'''


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> CardDocument:
    """The card of a flow after three runs, of which one failed."""
    flow = FlowFile(tmp_path_factory.mktemp("scored"), SOURCE)
    flow.run("--base", "1").succeeded()
    flow.run("--base", "-1").failed()
    flow.run("--base", "2").succeeded()
    assert [run.metrics for run in last_runs(flow.ledger, flow.flow)] == [
        {"score": 4.0, "score_is_small": 0.0},
        {},
        {"score": 2.0, "score_is_small": 1.0},
    ]
    return flow_card(flow.ledger, flow.flow)


def inside(card: CardDocument, title: str) -> dict[str, Any]:
    """The content of a section."""
    (found,) = (part for part in card.components if part.get("title") == title and part["type"] == "section")
    first: dict[str, Any] = found["children"][0]
    return first


def test_it_tells_what_the_flow_is_and_when_it_runs(card: CardDocument) -> None:
    assert card.components[0] == {"type": "markdown", "text": "Has a *score*."}
    facts = dict(inside(card, "About")["items"])
    assert facts["Schedule"] == "5 4 * * * (Europe/Berlin), once it is deployed"
    assert facts["Owner"] == "tester"
    assert [step["name"] for step in inside(card, "Flow")["steps"]] == ["start", "end"]
    assert inside(card, "Parameters")["rows"] == [["base", "number", 1.5, "where the score begins"]]


def test_it_tells_how_the_last_runs_went_and_where_their_numbers_go(card: CardDocument) -> None:
    runs = inside(card, "Last runs")
    assert runs["headers"][-2:] == ["score", "score_is_small"]
    assert [(row[1], *row[-2:]) for row in runs["rows"]] == [
        ("succeeded", 4.0, "failed"),
        ("failed", "", ""),
        ("succeeded", 2.0, "passed"),
    ]
    boxes = {part["title"]: part for part in card.components if part["type"] == "value"}
    assert boxes["Succeeded"]["value"] == "2 of 3"
    assert boxes["score"]["change"] == "+2 since the run before"
    values = inside(card, "Over the runs")["spec"]["data"]["values"]
    assert [point["value"] for point in values] == [2.0, 4.0]


def test_truth_values_of_the_end_step_are_the_tests_of_the_flow(card: CardDocument) -> None:
    newest, _, oldest = (row[0] for row in inside(card, "Last runs")["rows"])
    assert newest != oldest
    assert inside(card, "Tests")["rows"] == [["score_is_small", "failed", "1 of 2", newest]]
    boxes = {part["title"]: part for part in card.components if part["type"] == "value"}
    assert boxes["Tests passed"] == {
        "type": "value",
        "title": "Tests passed",
        "value": "0 of 1",
        "subtitle": "in the last run",
        "theme": "danger",
    }
    assert "score_is_small" not in boxes


def test_a_flow_without_runs_is_said(tmp_path: Path) -> None:
    with pytest.raises(MetaflowNotFound, match="Nobody has no run"):
        flow_card(Ledger(open_store(tmp_path.as_uri())), "Nobody")


@pytest.mark.browser
def test_its_page_is_accessible(browser: Browser, card: CardDocument, tmp_path: Path) -> None:
    with shown(browser, card, tmp_path, "dark") as (page, said):
        page.locator("figure.chart svg.marks").wait_for()
        assert accessibility_findings(page) == []
        assert said == []
