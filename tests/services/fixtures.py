"""The servers as pytest fixtures, shared by all tests of a run, in all of its xdist workers."""

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.airflow import LiveAirflow
from tests.services.browser import chromium, logged_in_page, screenshot
from tests.services.cluster import SharedCluster
from tests.services.parts import PartsSite, parts_environment
from tests.services.postgres import PostgresServer
from tests.services.s3 import S3Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note for the fixtures of a test whether it failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def services_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of this run that all of its xdist workers share."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "services"


@pytest.fixture(scope="session")
def s3_server(services_directory: Path) -> Iterator[S3Server]:
    """The run's S3 server. Others use it at the same time: keep to your own bucket, in faults and counts too."""
    with S3Server(services_directory / "s3") as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a fresh, empty bucket; the environment points AWS clients at its server for the length of the test."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_server.bucket()


@pytest.fixture(scope="session")
def pod_cluster(services_directory: Path, s3_server: S3Server) -> Iterator[SharedCluster]:
    """The run's Kubernetes stand-in; its pods have the S3 credentials. Shared: a pod is yours if its DAG is."""
    with SharedCluster(services_directory / "cluster", s3_server.environment()) as cluster:
        yield cluster
        assert cluster.admin.faults_of_the_standin() == []


@pytest.fixture(scope="session")
def live_airflow_sqlite(
    services_directory: Path, s3_server: S3Server, pod_cluster: SharedCluster
) -> Iterator[LiveAirflow]:
    """The run's Airflow on SQLite; its tasks can reach `s3_server`, and its pods run in `pod_cluster`.

    Shared: name your DAGs and runs so that they are yours alone.
    """
    environment = {
        **s3_server.environment(),
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": pod_cluster.airflow_connection,
    }
    with LiveAirflow(services_directory / "airflow-sqlite", environment=environment) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def postgres_server(services_directory: Path) -> Iterator[PostgresServer]:
    """The run's PostgreSQL server; `airflow_database()` gives a database of your own."""
    with PostgresServer(services_directory / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def live_airflow_postgres(
    services_directory: Path, s3_server: S3Server, postgres_server: PostgresServer
) -> Iterator[LiveAirflow]:
    """The run's Airflow on PostgreSQL; its tasks can reach `s3_server`. Shared, as `live_airflow_sqlite` is."""
    with LiveAirflow(
        services_directory / "airflow-postgres",
        environment=s3_server.environment(),
        sql_alchemy_conn=postgres_server.airflow_database("live_airflow"),
    ) as airflow:
        yield airflow


@pytest.fixture(
    scope="session",
    params=["sqlite", pytest.param("postgres", marks=[pytest.mark.slow, pytest.mark.postgres])],
)
def parts_site(request: pytest.FixtureRequest, services_directory: Path) -> Iterator[PartsSite]:
    """The run's Airflow with our XCom backend, on SQLite and (slow) on PostgreSQL. Shared, as `live_airflow_sqlite` is."""
    folder = services_directory / f"parts-store-{request.param}"
    database: dict[str, str] = {}
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database["sql_alchemy_conn"] = server.airflow_database("airflow_parts")
    home = services_directory / f"airflow-parts-{request.param}"
    with LiveAirflow(home, environment=parts_environment(folder), **database) as airflow:
        yield PartsSite(airflow, folder)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless Chromium. Of module scope: tests of other modules may then use `asyncio.run`, see `chromium`."""
    with chromium() as running:
        yield running


@pytest.fixture
def browser_page(
    request: pytest.FixtureRequest, browser: "Browser", live_airflow_sqlite: LiveAirflow
) -> "Iterator[Page]":
    """A page logged in to `live_airflow_sqlite` as admin. If the test fails, its picture goes to `build/screenshots`."""
    with logged_in_page(browser, live_airflow_sqlite) as page:
        yield page
        if request.node.stash.get(FAILED, False):
            print(
                f"screenshot: {screenshot(page, 'failed-' + re.sub(r'[^A-Za-z0-9_-]+', '-', request.node.name))}"
            )
