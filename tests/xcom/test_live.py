"""The cases of Airflow's own XCom tests, on a live Airflow with our backend: SQLite, and (slow) PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.parts import PartsSite

DAGS = Path(__file__).parent / "dags"

pytestmark = [pytest.mark.slow, pytest.mark.live, pytest.mark.timeout(600)]


def add(site: PartsSite, dag_id: str) -> str:
    """Have a DAG file of this folder parsed."""
    site.add(DAGS / f"{dag_id}.py", dag_id)
    return dag_id


def test_values_of_every_kind_pass_between_tasks_however_they_are_pulled(parts_site: PartsSite) -> None:
    dag_id = add(parts_site, "xcom_values")
    run_id = parts_site.api.trigger_and_wait(dag_id)
    assert parts_site.api.xcom(dag_id, run_id, "check") == "checked"
    assert parts_site.api.xcom(dag_id, run_id, "total") == 4 * 5000
    assert parts_site.api.xcom(dag_id, run_id, "pulls") == "pulled"
    states = parts_site.api.states(dag_id, run_id)
    assert [states[f"halves[{n}]"] for n in range(len(states)) if f"halves[{n}]" in states].count(
        "success"
    ) == 3


def test_retries_clears_deletions_and_deferrals_never_lose_a_value(
    parts_site: PartsSite, tmp_path: Path
) -> None:
    api, dag_id = parts_site.api, add(parts_site, "xcom_attempts")
    (tmp_path / "n").write_text("5")
    before = parts_site.values()
    run_id = api.trigger_and_wait(dag_id, conf={"file": str(tmp_path / "n")})
    assert api.xcom(dag_id, run_id, "read") == [2, 5]
    assert api.xcom(dag_id, run_id, "count") == [1, 12]
    made = parts_site.values() - before
    # Of the first try and the second, of the file, before and after the deferral, and one of all twelve equal ones.
    assert len(made) == 6

    (tmp_path / "n").write_text("6")
    api.clear(dag_id, run_id, ["from_file", "same"], downstream=True)
    api.wait_for_run(dag_id, run_id)
    assert api.xcom(dag_id, run_id, "read") == [2, 6]
    assert made < parts_site.values(), "a clear deleted a value"

    # The equal value of other tasks outlives the deletion of one task's XCom, in this run and in others.
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/same/xcomEntries/return_value"
    api.request("DELETE", path, params={"map_index": 0})
    assert made < parts_site.values(), "deleting an XCom deleted a value"
    again = api.trigger_and_wait(dag_id, conf={"file": str(tmp_path / "n")})
    assert api.xcom(dag_id, again, "count") == [1, 12]
    assert len(parts_site.values() - before) == 7, "equal values were stored anew"


def test_nothing_but_a_task_ever_unpickles_a_value(parts_site: PartsSite, tmp_path: Path) -> None:
    api, dag_id = parts_site.api, add(parts_site, "xcom_pickles")
    file = tmp_path / "unpickled"
    run_id = api.trigger_and_wait(dag_id, conf={"file": str(file)})
    assert api.xcom(dag_id, run_id, "use") == 23
    for deserialize in (True, False):
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/make/xcomEntries"
        shown = api.request(
            "GET", f"{path}/return_value", params={"deserialize": deserialize, "stringify": True}
        )
        assert "Tattler" in str(shown["value"]) or "pickle" in str(shown["value"])
        assert api.request("GET", path)["total_entries"] == 1
    where = file.read_text().splitlines()
    assert len(where) == 1, where
    assert "airflow worker" in where[0], where
