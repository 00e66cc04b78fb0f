"""The example DAGs of the parts for hand-written DAGs, on a real Airflow whose XCom backend is ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.hooks.named_artifacts import NamedArtifacts
from airflow_mlflow_provider.plan.manifest import encode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.xcom.values import ValueStore
from tests.dag.deployed import manifest_from
from tests.services.airflow_api import AirflowApi
from tests.services.browser import logged_in_page, screenshot
from tests.services.parts import PartsSite
from tests.services.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXAMPLES = Path(__file__).parents[2] / "dags_examples"

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


def add(parts_site: PartsSite, name: str, *dag_ids: str) -> None:
    """Put an example into the DAGs folder, with the flows that it may need."""
    parts_site.add(EXAMPLES / "airflow_parts" / f"{name}.py", *(dag_ids or (name,)), beside="[!e]*_flow.py")


def asked(api: AirflowApi, dag_id: str, run_id: str, rest: str = "") -> dict[str, Any]:
    """What our JSON API says of a run."""
    answer = api.client.get(f"/flows/api/dags/{dag_id}/runs/{quote(run_id, safe='')}{rest}")
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_published_version_starts_the_dag_that_is_scheduled_on_it(parts_site: PartsSite) -> None:
    add(parts_site, "example_named_artifact", "example_publish_artifact", "example_consume_artifact")
    api = parts_site.airflow.api
    run_id = api.trigger_and_wait("example_publish_artifact")
    found = api.xcom("example_publish_artifact", run_id, "good_enough")
    assert found["artifact"] == "artifact:example/scores@1"
    asset = api.links("example_publish_artifact", run_id, "score")["Artifact"]
    assert asset is not None
    assert api.request("GET", asset)["name"] == "artifact:example/scores"
    versions = NamedArtifacts(ValueStore(parts_site.store))
    released = versions.records.find("example/released")
    assert (released.tags, released.made_by["task_id"]) == (("released",), "release")
    assert versions.load("example/released") == {"auc": 0.93, "rows": [1, 2, 3]}

    def consumers() -> list[str]:
        runs = api.request("GET", "/dags/example_consume_artifact/dagRuns")["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    wait_until(lambda: bool(consumers()), 60, "no run was started by the new version")
    (consumer,) = consumers()
    api.wait_for_run("example_consume_artifact", consumer)
    assert api.xcom("example_consume_artifact", consumer, "report") == "artifact:example/scores@1 0.93"


def deploy_hello(parts_site: PartsSite) -> None:
    """Deploy the smallest example."""
    manifest = manifest_from(EXAMPLES / "hello_flow.py", parts_site.folder)
    (parts_site.airflow.dags_folder / "HelloFlow.json").write_bytes(encode(manifest))
    Deployments(parts_site.store).put(manifest, "test")
    parts_site.airflow.add_dag(
        "HelloFlow",
        "from airflow_mlflow_provider.dag import load_flow\n\ndag = load_flow('HelloFlow.json')\n",
    )


def test_a_flow_is_started_waited_for_promoted_and_read(parts_site: PartsSite) -> None:
    deploy_hello(parts_site)
    add(parts_site, "example_trigger_flow")
    api = parts_site.airflow.api
    run_id = api.trigger_and_wait("example_trigger_flow")
    assert api.xcom("example_trigger_flow", run_id, "fetch") == 14
    promoted = api.xcom("example_trigger_flow", run_id, "promote")
    assert promoted["tags"] == ["promoted"]
    assert promoted["pathspec"] == api.xcom("example_trigger_flow", run_id, "run_flow", key="pathspec")
    assert api.xcom("example_trigger_flow", run_id, "ended")["status"] == "succeeded"
    started = api.xcom("example_trigger_flow", run_id, "run_flow", key="trigger_run_id")
    run_page = f"/dags/HelloFlow/runs/{quote(started, safe='')}"
    for task, link in (("run_flow", "Flow run"), ("promote", "Flow run")):
        assert api.links("example_trigger_flow", run_id, task)[link] == f"{run_page}/plugin/flow"
    assert api.links("example_trigger_flow", run_id, "fetch")["Origin run"] == run_page
    step = api.links("HelloFlow", started, "square", 1)
    assert (step["Flow run"], step["Origin run"]) == (f"{run_page}/plugin/flow", None)
    assert step["Artifacts"] == f"{run_page}/tasks/square/mapped/1/plugin/step"


def test_a_run_is_resumed_from_a_step_on_by_another_dag(parts_site: PartsSite) -> None:
    deploy_hello(parts_site)
    add(parts_site, "example_resume_flow")
    api = parts_site.airflow.api
    run_id = api.trigger_and_wait("example_resume_flow")
    first = api.xcom("example_resume_flow", run_id, "run_flow", key="pathspec").partition("/")[2]
    resumed = api.xcom("example_resume_flow", run_id, "add_up_again", key="pathspec").partition("/")[2]
    ledger = Ledger(parts_site.store)
    links = api.links("example_resume_flow", run_id, "add_up_again")
    for link, name in (("Flow run", resumed), ("Origin run", first)):
        place = ledger.run("HelloFlow", name).airflow["dag_run_id"]
        assert quote(place, safe="") in str(links[link]), (link, links)
    assert ledger.run("HelloFlow", resumed).origin == first
    assert {key.run for key in ledger.newest_done_keys("HelloFlow", resumed, "square").values()} == {first}
    assert {key.run for key in ledger.newest_done_keys("HelloFlow", resumed, "join").values()} == {resumed}
    end = ledger.run_end("HelloFlow", resumed)
    assert end is not None
    assert end.status == "succeeded"


def test_a_whole_flow_is_a_task_group_of_another_dag(parts_site: PartsSite) -> None:
    add(parts_site, "example_flow_task_group")
    api = parts_site.airflow.api
    run_id = api.trigger_and_wait("example_flow_task_group")
    assert api.xcom("example_flow_task_group", run_id, "best") == 0.3
    run = Ledger(parts_site.store).latest("PriceFlow")[0]
    assert api.xcom("example_flow_task_group", run_id, "approve") == f"approved PriceFlow/{run}"
    whole = asked(api, "example_flow_task_group", run_id)
    assert (whole["pathspec"], whole["parts"], whole["status"]) == (
        f"PriceFlow/{run}",
        ["search"],
        "succeeded",
    )
    assert not whole["may_resume"]
    instance = asked(api, "example_flow_task_group", run_id, "/instances/search.choose/-1?part=search")
    assert [(task["step"], task["state"]) for task in instance["tasks"]] == [("choose", "succeeded")]
    tab = f"/flows/view/task/example_flow_task_group/{quote(run_id, safe='')}/search.choose/-1"
    assert 'data-part="search"' in api.client.get(tab).text
    api.clear("example_flow_task_group", run_id, ["search.choose"], downstream=True)
    api.wait_for_run("example_flow_task_group", run_id)
    assert Ledger(parts_site.store).attempts("PriceFlow", run, "choose", "0") == [0, 1]


def test_steps_of_a_flow_are_tasks_of_another_dag(parts_site: PartsSite) -> None:
    add(parts_site, "example_flow_steps")
    api = parts_site.airflow.api
    run_id = api.trigger_and_wait("example_flow_steps")
    whole, again = (api.xcom("example_flow_steps", run_id, task) for task in ("check", "check_again"))
    both = asked(api, "example_flow_steps", run_id)
    assert (both["pathspec"], both["parts"]) == ("/".join(whole.split("/")[:2]), ["", "check_again"])
    part = asked(api, "example_flow_steps", run_id, "?part=check_again")
    assert part["pathspec"] == "/".join(again.split("/")[:2])
    instance = asked(api, "example_flow_steps", run_id, "/instances/check_again/-1?part=check_again")
    assert [task["step"] for task in instance["tasks"]] == ["check"]
    ledger = Ledger(parts_site.store)
    assert ledger.run("QuoteFlow", again.split("/")[1]).origin == whole.split("/")[1]
    origin = api.links("example_flow_steps", run_id, "check_again")["Origin run"]
    assert origin == f"/dags/example_flow_steps/runs/{quote(run_id, safe='')}"
    end = ledger.run_end("QuoteFlow", whole.split("/")[1])
    assert end is not None
    assert end.status == "succeeded"


def test_values_above_the_inline_limit_pass_between_tasks(parts_site: PartsSite) -> None:
    add(parts_site, "example_artifact_store_xcom")
    api, dag_id = parts_site.airflow.api, "example_artifact_store_xcom"
    run_id = api.trigger_and_wait(dag_id)
    assert api.xcom(dag_id, run_id, "total") == 6 * 2000 * 1999 // 2
    assert api.xcom(dag_id, run_id, "length") == 100_000
    # What the API shows is the pointer, also to an admin who asks for the value.
    assert "__artifact__" in str(api.xcom(dag_id, run_id, "large"))


def test_old_runs_are_collected_by_a_dag(parts_site: PartsSite) -> None:
    add(parts_site, "example_collect_garbage")
    parts_site.airflow.api.trigger_and_wait("example_collect_garbage")


def test_every_example_dag_has_run_here() -> None:
    source = Path(__file__).read_text()
    examples = sorted(path.stem for path in (EXAMPLES / "airflow_parts").glob("example_*.py"))
    assert [name for name in examples if f'add(parts_site, "{name}"' not in source] == []


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_of_an_asset_shows_what_its_versions_are(parts_site: PartsSite, browser: Browser) -> None:
    add(parts_site, "example_named_artifact", "example_publish_artifact", "example_consume_artifact")
    api = parts_site.airflow.api
    run_id = api.trigger_and_wait("example_publish_artifact")
    facts = api.xcom("example_publish_artifact", run_id, "score")
    asset = api.links("example_publish_artifact", run_id, "score")["Artifact"]
    with logged_in_page(browser, parts_site.airflow) as page:
        page.goto(str(asset))
        # Airflow shows the extra of each event folded.
        page.locator(".codicon-folding-collapsed").first.click(timeout=60_000)
        screenshot(page, "asset-of-a-named-artifact")

        def shown() -> str:
            # Its editor breaks long lines.
            return "".join(page.locator(".view-lines").first.inner_text().split())

        wait_until(lambda: facts["digest"] in shown(), 30, lambda: f"the digest is not shown:\n{shown()}")
        assert facts["pathspec"] in shown()
