"""The cards of the example, as readers of the documentation see them: its pictures are taken here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from airflow_mlflow_provider.cards.document import CardDocument
from airflow_mlflow_provider.cards.flow_card import flow_card
from airflow_mlflow_provider.cards.reading import attempt_card
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey
from tests.cards.pages import shown
from tests.services.accessibility import accessibility_findings
from tests.services.browser import screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXAMPLE = Path(__file__).parents[2] / "dags_examples" / "digits_report_flow.py"
FLOW = "DigitsReportFlow"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A store in which the example has run three times."""
    folder = tmp_path_factory.mktemp("report")
    for rounds in ("4", "8", "12"):
        subprocess.run(
            [sys.executable, EXAMPLE, "--no-pylint", "--datastore-root", folder, "run", "--rounds", rounds],
            env={**os.environ, "METAFLOW_USER": "ada"},
            check=True,
            capture_output=True,
            timeout=120,
        )
    return Ledger(open_store(folder.as_uri()))


def card_of(ledger: Ledger, step: str) -> CardDocument:
    """The card of a step of the last run."""
    return attempt_card(ledger, AttemptKey(FLOW, ledger.latest(FLOW)[0], step, "0", 0), 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_on_a_model(
    browser: Browser, ledger: Ledger, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    with shown(browser, card_of(ledger, "judge"), tmp_path, scheme) as (page, said):
        page.get_by_role("heading", name="How well does it read?").wait_for()
        page.locator("figure.chart svg.marks").wait_for()
        for part in ("Step", "Flow", "Parameters", "Artifacts", "Code", "Environment"):
            assert page.get_by_role("heading", name=part, exact=True).count() == 1
        page.locator(".spark").first.scroll_into_view_if_needed()
        assert accessibility_findings(page) == []
        page.evaluate("scrollTo(0, 0)")
        screenshot(page, f"card-report-{scheme}")
        screenshot(page, f"card-report-{scheme}-whole", full_page=True)
        assert said == []


def test_the_card_of_the_training_and_of_the_flow(browser: Browser, ledger: Ledger, tmp_path: Path) -> None:
    with shown(browser, card_of(ledger, "train"), tmp_path) as (page, said):
        assert page.get_by_role("progressbar", name="Training").get_attribute("aria-valuenow") == "12"
        assert said == []
    with shown(browser, flow_card(ledger, FLOW), tmp_path) as (page, said):
        page.locator("figure.chart svg.marks").first.wait_for()
        assert page.get_by_role("row").filter(has_text="succeeded").count() == 3
        assert accessibility_findings(page) == []
        screenshot(page, "card-flow", full_page=True)
        assert said == []
