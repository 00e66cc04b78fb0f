"""The wheel in a plain Airflow, of the oldest supported version and of the newest: nothing is configured but the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from tests.packaging.plain_airflow import Installation, PlainAirflow, build_wheel

EXAMPLES = Path(__file__).parents[2] / "dags_examples" / "airflow_parts"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# Modules that need more than is installed: pytest, in the conformance suites.
IMPORT_ALL = """
import importlib, json, pkgutil, warnings
import airflow_mlflow_provider as package
failed, found = {}, 0
for module in pkgutil.walk_packages(package.__path__, "airflow_mlflow_provider."):
    if module.name.startswith("airflow_mlflow_provider.testing"):
        continue
    found += 1
    try:
        importlib.import_module(module.name)
    except BaseException as error:
        failed[module.name] = repr(error)
from airflow.version import version
print(json.dumps({"failed": failed, "found": found, "airflow": version}))
"""

FLOW = '''
from airflow_mlflow_provider import FlowSpec, Parameter, step
from airflow_mlflow_provider.dag import FlowDag


class PlainFlow(FlowSpec):
    """A foreach and a switch."""

    size = Parameter("size", default=3)

    @step
    def start(self):
        self.numbers = list(range(self.size))
        self.next(self.double, foreach="numbers")

    @step
    def double(self):
        self.value = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.value for one in inputs)
        self.size_of = "large" if self.total > 5 else "small"
        self.next({"large": self.large, "small": self.small}, condition="size_of")

    @step
    def large(self):
        self.next(self.end)

    @step
    def small(self):
        self.next(self.end)

    @step
    def end(self):
        print("the total is", self.total)


dag = FlowDag(PlainFlow)
'''


# What the views ask for, below the address of a run.
VIEWS = (
    "",
    "/progress",
    "/steps/square/tasks",
    "/steps/square/tasks/0001",
    "/steps/end/tasks/0/artifacts",
    "/steps/end/tasks/0/inputs",
    "/steps/end/tasks/0/attempts/0/circumstances",
    "/steps/end/tasks/0/attempts/0/logs/stdout",
    "/steps/end/tasks/0/attempts/0/cards",
    "/instances/square/1",
    "/code",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=["3.1.*", None], ids=["airflow 3.1", "newest airflow"])
def installation(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    return Installation(tmp_path_factory.mktemp("plain") / "venv", wheel, request.param)


@pytest.fixture(scope="module")
def airflow(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainAirflow]:
    with PlainAirflow(installation, tmp_path_factory.mktemp("live")) as live:
        yield live


def test_everything_is_importable_and_airflow_knows_the_provider(
    installation: Installation, tmp_path: Path
) -> None:
    facts = json.loads(installation.program(tmp_path, IMPORT_ALL).splitlines()[-1])
    assert facts["failed"] == {}
    assert facts["found"] > 300
    provider = installation.airflow(
        tmp_path, "providers", "get", "airflow-mlflow-provider", "--full", "--output", "json"
    )
    assert "ArtifactStoreHook" in provider
    plugins = json.loads(installation.airflow(tmp_path, "plugins", "--output", "json"))
    (flows,) = (plugin for plugin in plugins if plugin["name"] == "flows")
    assert "/flows" in str(flows)
    options = installation.airflow(tmp_path, "config", "list", "--section", "mlflow_provider", "--defaults")
    assert "datastore_root" in options
    # The newest lists no provider's defaults, and knows them.
    limit = installation.airflow(tmp_path, "config", "get-value", "mlflow_provider", "xcom_inline_max_bytes")
    assert limit.split()[-1] == "4096"


@pytest.mark.live
def test_a_flow_with_a_foreach_and_a_switch_runs(airflow: PlainAirflow) -> None:
    airflow.add_dag("PlainFlow", FLOW, timeout=180)
    run_id = airflow.api.trigger_and_wait("PlainFlow", conf={"size": 4})
    states = airflow.api.states("PlainFlow", run_id)
    assert (states["double[3]"], states["large"], states["small"]) == ("success", "success", "skipped")
    ledger = Ledger(open_store(airflow.store))
    (run,) = ledger.latest("PlainFlow")
    end = ledger.run_end("PlainFlow", run)
    assert end is not None
    assert end.status == "succeeded"
    shown = airflow.api.client.get(f"/flows/api/dags/PlainFlow/runs/{quote(run_id, safe='')}")
    assert shown.json()["pathspec"] == f"PlainFlow/{run}", shown.text


@pytest.mark.live
def test_a_flow_is_deployed_by_its_own_command_and_started_by_it(
    airflow: PlainAirflow, installation: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "hello_flow.py"
    file.write_text((EXAMPLES.parent / "hello_flow.py").read_text())
    here = ("--datastore-root", airflow.store)
    installation.flow(tmp_path, file, *here, "airflow", "create", str(airflow.dags_folder / "HelloFlow.py"))
    airflow.api.wait_for_dag("HelloFlow", timeout=180)
    assert airflow.api.import_errors() == {}
    run_id = airflow.api.trigger_and_wait("HelloFlow", conf={"count": 4})
    (run,) = Ledger(open_store(airflow.store)).latest("HelloFlow")
    # The run is one for whoever works without Airflow, too.
    assert "14" in installation.flow(tmp_path, file, *here, "dump", f"{run}/end")
    links = airflow.api.links("HelloFlow", run_id, "end")
    assert str(links["Flow run"]).endswith("/plugin/flow")
    page = f"/flows/api/dags/HelloFlow/runs/{quote(run_id, safe='')}"
    for rest in VIEWS:
        answer = airflow.api.client.get(f"{page}{rest}")
        assert answer.status_code == 200, f"{rest}: {answer.text}"
    plan = {"origin": run, "step": "join"}
    resumed = airflow.api.client.post("/flows/resume/HelloFlow", json=plan)
    assert resumed.status_code == 201, resumed.text
    airflow.api.wait_for_run("HelloFlow", resumed.json()["dag_run_id"])


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "task", "value"),
    [
        ("example_flow_task_group", "best", 0.3),
        ("example_publish_artifact", "fetch", {"auc": 0.93, "rows": [1, 2, 3]}),
    ],
)
def test_the_parts_for_hand_written_dags_run(
    airflow: PlainAirflow, name: str, task: str, value: object
) -> None:
    for file in ("price_flow.py", "example_flow_task_group.py", "example_named_artifact.py"):
        (airflow.dags_folder / file).write_text((EXAMPLES / file).read_text())
    airflow.api.wait_for_dag(name, timeout=180)
    run_id = airflow.api.trigger_and_wait(name)
    assert airflow.api.xcom(name, run_id, task) == value
