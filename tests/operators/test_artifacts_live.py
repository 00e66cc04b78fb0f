"""The example DAGs of the parts for hand-written DAGs, on a real Airflow whose XCom backend is ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.hooks.named_artifacts import NamedArtifacts
from airflow_mlflow_provider.plan.manifest import encode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.xcom.values import ValueStore
from tests.dag.deployed import manifest_from
from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until

if TYPE_CHECKING:
    from tests.services.postgres import PostgresServer

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
BACKEND = "airflow_mlflow_provider.xcom.artifact_store.ArtifactStoreXComBackend"

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


class Site:
    """An Airflow with our XCom backend, and the folder of its store."""

    def __init__(self, airflow: LiveAirflow, folder: Path) -> None:
        self.airflow = airflow
        self.folder = folder
        self.store = open_store(folder.as_uri())

    def add(self, file: str, *dag_ids: str) -> None:
        """Put an example into the DAGs folder."""
        source = (EXAMPLES / "airflow_parts" / f"{file}.py").read_text()
        (self.airflow.dags_folder / f"{file}.py").write_text(source)
        for dag_id in dag_ids:
            self.airflow.api.wait_for_dag(dag_id)


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgres", marks=[pytest.mark.slow, pytest.mark.postgres])],
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("parts") / "store"
    environment = {
        "AIRFLOW__CORE__XCOM_BACKEND": BACKEND,
        # Workers that do not know Airflow's API: a resumed run's tasks find themselves taken over.
        "AIRFLOW__MLFLOW_PROVIDER__API_URL": "",
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": folder.as_uri(),
    }
    database: dict[str, Any] = {}
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database["sql_alchemy_conn"] = server.airflow_database("airflow_parts")
    with LiveAirflow(environment=environment, **database) as airflow:
        yield Site(airflow, folder)


def test_a_published_version_starts_the_dag_that_is_scheduled_on_it(site: Site) -> None:
    site.add("example_named_artifact", "example_publish_artifact", "example_consume_artifact")
    api = site.airflow.api
    run_id = api.trigger_and_wait("example_publish_artifact")
    found = api.xcom("example_publish_artifact", run_id, "good_enough")
    assert found["artifact"] == "artifact:example/scores@1"
    versions = NamedArtifacts(ValueStore(site.store))
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


def deploy_hello(site: Site) -> None:
    """Deploy the smallest example."""
    manifest = manifest_from(EXAMPLES / "hello_flow.py", site.folder)
    (site.airflow.dags_folder / "HelloFlow.json").write_bytes(encode(manifest))
    Deployments(site.store).put(manifest, "test")
    site.airflow.add_dag(
        "HelloFlow",
        "from airflow_mlflow_provider.dag import load_flow\n\ndag = load_flow('HelloFlow.json')\n",
    )


def test_a_flow_is_started_waited_for_promoted_and_read(site: Site) -> None:
    deploy_hello(site)
    site.add("example_trigger_flow", "example_trigger_flow")
    api = site.airflow.api
    run_id = api.trigger_and_wait("example_trigger_flow")
    assert api.xcom("example_trigger_flow", run_id, "fetch") == 14
    promoted = api.xcom("example_trigger_flow", run_id, "promote")
    assert promoted["tags"] == ["promoted"]
    assert promoted["pathspec"] == f"HelloFlow/{Ledger(site.store).latest('HelloFlow')[0]}"
    assert api.xcom("example_trigger_flow", run_id, "ended")["status"] == "succeeded"


def test_a_run_is_resumed_from_a_step_on_by_another_dag(site: Site) -> None:
    deploy_hello(site)
    site.add("example_resume_flow", "example_resume_flow")
    api = site.airflow.api
    run_id = api.trigger_and_wait("example_resume_flow")
    first = api.xcom("example_resume_flow", run_id, "run_flow", key="pathspec").partition("/")[2]
    resumed = api.xcom("example_resume_flow", run_id, "add_up_again", key="pathspec").partition("/")[2]
    ledger = Ledger(site.store)
    assert ledger.run("HelloFlow", resumed).origin == first
    assert {key.run for key in ledger.newest_done_keys("HelloFlow", resumed, "square").values()} == {first}
    assert {key.run for key in ledger.newest_done_keys("HelloFlow", resumed, "join").values()} == {resumed}
    end = ledger.run_end("HelloFlow", resumed)
    assert end is not None
    assert end.status == "succeeded"
