"""`spin`, `replay` and `resume` of steps with packages of their own, installed from the package index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from airflow_mlflow_provider import Flow, inspect_spin, namespace
from airflow_mlflow_provider.runtime.environments.lock import Locks
from tests.flow_runs import FlowFile, FlowRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PYPI = ("--environment", "pypi")
NOWHERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_OFFLINE": "1"}
SOURCE = """
    import sys

    class PackagedFlow(FlowSpec):
        @step
        def start(self):
            self.rows = [["a", 1]]
            self.next(self.table)

        @pypi(packages={"tabulate": "0.8.10"})
        @step
        def table(self):
            import tabulate

            self.version = tabulate.__version__
            self.text = tabulate.tabulate(self.rows)
            print("made by", self.version, "in", sys.prefix)
            self.next(self.end)

        @step
        def end(self):
            self.interpreter = sys.executable
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A machine that has built no environment yet."""
    return {"AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR": str(tmp_path_factory.mktemp("machine"))}


@pytest.fixture
def run(tmp_path: Path, machine: Mapping[str, str]) -> tuple[FlowFile, FlowRun]:
    """A run of the flow."""
    flow = FlowFile(tmp_path / "flow", SOURCE)
    return flow, flow.run(top=PYPI, environment=machine).succeeded()


def edit(flow: FlowFile, before: str, after: str) -> None:
    """Change the flow's file."""
    text = flow.path.read_text("utf-8")
    assert before in text
    flow.path.write_text(text.replace(before, after), "utf-8")


def test_a_step_is_spun_in_its_environment_and_the_store_is_only_read(
    run: tuple[FlowFile, FlowRun], machine: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, made = run
    before = {item.key for item in flow.ledger.store.list("")}
    offline = {**machine, **NOWHERE}
    told = flow.run("table", command="spin", top=PYPI, environment=offline).succeeded()
    assert "made by 0.8.10 in" in told.stdout
    assert "Building" not in told.stderr
    # A step without packages is spun in the interpreter at hand.
    assert "Done after" in flow.run("end", command="spin", top=PYPI, environment=offline).succeeded().stderr

    edit(flow, '"0.8.10"', '"0.9.0"')
    other = flow.run(
        f"{made.run}/table", "--persist", command="spin", top=PYPI, environment=machine
    ).succeeded()
    assert "made by 0.9.0 in" in other.stdout
    assert {item.key for item in flow.ledger.store.list("")} == before
    monkeypatch.chdir(flow.folder)
    monkeypatch.setenv("METAFLOW_USER", "tester")
    inspect_spin(".")
    namespace(None)
    (spun,) = list(Flow("PackagedFlow"))
    info, task = spun["table"].environment_info, spun["table"].task
    assert task is not None
    assert task.data.version == "0.9.0"
    assert info is not None
    assert info["packages"]["tabulate"] == "0.9.0"


def test_without_its_decorators_a_step_is_spun_in_the_interpreter_at_hand(
    run: tuple[FlowFile, FlowRun], machine: Mapping[str, str]
) -> None:
    flow, _ = run
    edit(flow, "        import tabulate\n", "")
    edit(flow, "tabulate.__version__", "sys.executable")
    edit(flow, "tabulate.tabulate(self.rows)", "''")
    told = flow.run(
        "table", "--skip-decorators", command="spin", top=PYPI, environment={**machine, **NOWHERE}
    )
    assert "made by" in told.succeeded().stdout
    assert str(machine["AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR"]) not in told.stdout


def test_a_replay_has_the_environments_of_its_origin_also_if_nobody_would_lock_them_so_now(
    run: tuple[FlowFile, FlowRun], machine: Mapping[str, str]
) -> None:
    flow, made = run
    store = flow.ledger.store
    (digest,) = made.record.environments.values()
    lock = Locks(store).get(digest)
    # As a deployment for other machines as well would have it, which asks for something else than a laptop does.
    wide = msgspec.structs.replace(
        lock,
        request=msgspec.structs.replace(
            lock.request, platforms=(*lock.request.platforms, "linux-aarch64-musl")
        ),
    )
    record = msgspec.structs.replace(made.record, environments={"table": Locks(store).put(wide)})
    store.put(f"flows/PackagedFlow/runs/{made.run}/run.json", msgspec.json.encode(record))
    store.delete([item.key for item in store.list("environments/requests")])

    edit(flow, '"0.8.10"', '"0.9.0"')
    replayed = flow.run(made.run, "--compare", command="replay", environment=machine)
    assert replayed.returncode == 0, replayed.told()
    assert replayed.record.environments == {"table": wide.digest}
    assert "locked otherwise" not in replayed.stderr
    assert "table/0  equal" in replayed.stdout
    assert replayed.value("version", "table") == "0.8.10"
