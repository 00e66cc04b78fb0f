"""A deployed flow as people see it in the Airflow UI; the README's picture is taken here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.airflow import PASSWORDS, LiveAirflow
from tests.services.browser import screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Page

EXAMPLE = Path(__file__).parents[2] / "dags_examples" / "digits_search_flow.py"
DAG_ID = "DigitsSearchFlow"


def flow(airflow: LiveAirflow, store: Path, *arguments: str, file: Path = EXAMPLE) -> str:
    """Run a command of an example flow; what it printed on standard output."""
    settings: Mapping[str, str] = {
        "METAFLOW_USER": "browser",
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": str(store),
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true",
        "AIRFLOW__MLFLOW_PROVIDER__API_URL": airflow.base_url,
        "AIRFLOW__MLFLOW_PROVIDER__API_USER": "admin",
        "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": PASSWORDS["admin"],
        "AIRFLOW__MLFLOW_PROVIDER__DAGS_FOLDER": str(airflow.dags_folder),
    }
    ended = subprocess.run(
        [sys.executable, str(file), *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, f"{arguments}: {ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.mark.browser
@pytest.mark.live
@pytest.mark.slow
def test_the_graph_of_a_finished_run_shows_every_step_and_the_label_of_each_split(
    live_airflow_sqlite: LiveAirflow, browser_page: Page, tmp_path: Path
) -> None:
    airflow = live_airflow_sqlite
    flow(airflow, tmp_path, "airflow", "create")
    flow(airflow, tmp_path, "airflow", "trigger", "--wait")
    (run,) = airflow.api.request("GET", f"/dags/{DAG_ID}/dagRuns")["dag_runs"]

    browser_page.set_viewport_size({"width": 1600, "height": 900})
    browser_page.goto(f"{airflow.base_url}/dags/{DAG_ID}/runs/{run['dag_run_id']}")
    browser_page.get_by_role("button", name="Show Graph").or_(
        browser_page.get_by_label("Show Graph")
    ).first.click()
    for step in ("start", "prepare_folds", "score_fold", "join_folds", "end"):
        browser_page.locator(".react-flow__node", has_text=step).first.wait_for(timeout=60_000)
    screenshot(browser_page, "digits-search-graph")

    browser_page.goto(f"{airflow.base_url}/dags/{DAG_ID}/runs/{run['dag_run_id']}/tasks/score_fold/mapped")
    browser_page.get_by_text("fold_numbers=0").first.wait_for()
    screenshot(browser_page, "digits-search-splits")
