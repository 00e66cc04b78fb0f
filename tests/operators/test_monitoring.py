"""OpenLineage events and StatsD metrics of a flow, from a live Airflow with the real provider and client."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.plain_airflow import Installation, PlainAirflow, build_wheel
from tests.packaging.test_plain_airflow import FLOW
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.live, pytest.mark.timeout(1800)]


class StatsdServer:
    """Hears what StatsD clients say."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(1)
        self.port = int(self._socket.getsockname()[1])
        self.heard: set[str] = set()
        self._open = True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while self._open:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            self.heard.update(data.decode().splitlines())

    def close(self) -> None:
        """Stop hearing."""
        self._open = False
        self._thread.join()
        self._socket.close()

    def has(self, name: str, kind: str) -> bool:
        """Whether a metric of that name and kind (`c`, `ms`) was heard."""
        return any(f"{name}:" in line.replace(",", ":") and f"|{kind}" in line for line in self.heard)


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsdServer]:
    server = StatsdServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lineage") / "events.json"


@pytest.fixture(scope="module")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, statsd: StatsdServer, events: Path
) -> Iterator[PlainAirflow]:
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    installation = Installation(
        tmp_path_factory.mktemp("monitored") / "venv",
        wheel,
        None,
        "apache-airflow-providers-openlineage",
        "statsd",
    )
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    environment = {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        "AIRFLOW__METRICS__STATSD_PREFIX": "airflow",
    }
    with PlainAirflow(installation, tmp_path_factory.mktemp("live"), environment) as live:
        yield live


def read(events: Path) -> list[dict[str, Any]]:
    """The events that are there, those of our steps."""
    lines = events.read_text().splitlines() if events.exists() else []
    found = [json.loads(line) for line in lines]
    return [event for event in found if event.get("eventType") == "COMPLETE" and "." in event["job"]["name"]]


def test_a_run_tells_its_lineage_and_is_counted(
    airflow: PlainAirflow, events: Path, statsd: StatsdServer
) -> None:
    airflow.add_dag("PlainFlow", FLOW, timeout=180)
    run_id = airflow.api.trigger_and_wait("PlainFlow", conf={"size": 4})
    states = airflow.api.states("PlainFlow", run_id)
    steps = {"start", "double", "join", "large", "end"}

    def told() -> dict[str, list[dict[str, Any]]]:
        by_step: dict[str, list[dict[str, Any]]] = {}
        for event in read(events):
            by_step.setdefault(event["job"]["name"].rpartition(".")[2], []).append(event)
        return by_step

    wait_until(lambda: steps <= set(told()), 120, lambda: f"lineage of all steps: {sorted(told())}, {states}")
    start, join = told()["start"][0], told()["join"][0]
    folder = airflow.store.removeprefix("file://")
    written = {dataset["name"]: dataset for dataset in start["outputs"]}
    numbers = written[f"{folder}/PlainFlow/numbers"]
    assert numbers["namespace"] == "file"
    assert len(numbers["facets"]["version"]["datasetVersion"]) == 64
    assert numbers["outputFacets"]["outputStatistics"]["size"] > 0
    read_by_join = {dataset["name"]: dataset for dataset in join["inputs"]}
    value = read_by_join[f"{folder}/PlainFlow/value"]
    assert value["inputFacets"]["inputStatistics"]["fileCount"] == 4
    doubled = {
        dataset["facets"]["version"]["datasetVersion"]
        for event in told()["double"]
        for dataset in event["outputs"]
        if dataset["name"].endswith("/value")
    }
    assert len(doubled) == 4
    tags = {tag["key"]: tag["value"] for tag in join["run"]["facets"]["tags"]["tags"]}
    assert tags["pathspec"].endswith("/join/0")

    wanted = [("task.succeeded", "c"), ("step.duration", "ms"), ("run.succeeded", "c")]

    def missing() -> list[str]:
        return [name for name, kind in wanted if not statsd.has(f"airflow.mlflow_provider.{name}", kind)]

    wait_until(lambda: not missing(), 60, lambda: f"{missing()}: {sorted(statsd.heard)[:50]}")
