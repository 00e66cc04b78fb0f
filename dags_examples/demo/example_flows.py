"""Deploying the example flows, running one, and reading its result back from the store."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.runs import (
    RunStatus,
    StartedRun,
    new_dag_run_id,
    run_status,
    start_run,
)
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.store.artifacts import ArtifactReader
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from dags_examples.demo.display import DemoFailed
from dags_examples.demo.local_airflow import LocalAirflow, log_tail

EXAMPLES = Path(__file__).parents[1]
PARSE_SECONDS = 120
RUN_SECONDS = 600
FAILURES_SHOWN = 3
_CLASS = re.compile(r"^class (\w+)\(FlowSpec\)", re.MULTILINE)


def example_flows() -> dict[str, Path]:
    """Flow name to file, of all examples."""
    files = sorted(EXAMPLES.glob("*_flow.py"))
    return {match[1]: file for file in files if (match := _CLASS.search(file.read_text(encoding="utf-8")))}


class Examples:
    """The example flows in a running Airflow.

    Args:
        airflow: The Airflow.
        flows: Flow name to file.
    """

    def __init__(self, airflow: LocalAirflow, flows: Mapping[str, Path]) -> None:
        self._airflow = airflow
        self._flows = flows

    def deploy(self, file: Path) -> None:
        """Deploy one flow, as `python FLOW.py airflow create` does.

        Raises:
            DemoFailed: The command failed.
        """
        command = [sys.executable, str(file), "airflow", "create", "--no-wait"]
        self._airflow.run(command, f"{file.name} cannot be deployed")

    def wait_until_parsed(self) -> None:
        """Wait until Airflow knows all flows.

        Raises:
            DemoFailed: A DAG file cannot be imported, or was not seen in time.
        """
        rest = AirflowRest(self._airflow.url, self._airflow.token)
        missing = set(self._flows)

        def parsed() -> bool:
            for flow in sorted(missing):
                if error := rest.import_error(f"{flow}.py"):
                    raise DemoFailed(f"Airflow cannot import the DAG of {flow}.\n{error}")
                if rest.dag(flow) is not None:
                    missing.discard(flow)
            return not missing

        self._airflow.wait(
            parsed, PARSE_SECONDS, lambda: f"Airflow has not parsed {', '.join(sorted(missing))}"
        )

    def run(self, flow: str, show: Callable[[str], None]) -> StartedRun:
        """Start a run and wait until it has succeeded.

        Args:
            flow: Name of the flow.
            show: Is told how the run stands whenever that changes.

        Raises:
            DemoFailed: It failed; the message names the tasks and holds the ends of their logs.
        """
        rest = AirflowRest(self._airflow.url, self._airflow.token)
        started = start_run(rest, flow, {}, new_dag_run_id())
        ledger = Ledger(open_store(self._airflow.store))
        shown = ""

        def status() -> RunStatus:
            return run_status(rest, ledger, flow, flow, started.dag_run_id)

        def ended() -> bool:
            nonlocal shown
            now = status()
            if (text := _progress(now)) != shown:
                show(text)
                shown = text
            return now.ended

        self._airflow.wait(ended, RUN_SECONDS, lambda: f"The run has not ended: {_progress(status())}")
        if status().state != "success":
            raise DemoFailed(self._report(rest, flow, status()))
        return started

    def result(self, flow: str, run: str) -> dict[str, Any]:
        """The artifacts of a run's last step, by name, from the store alone: no Airflow is asked.

        Raises:
            DemoFailed: The last step has no record.
        """
        store = open_store(self._airflow.store)
        ledger = Ledger(store)
        end = decode(ledger.blob(ledger.run(flow, run).manifest)).graph.end
        record = ledger.newest_done(flow, run, end, "0")
        if record is None:
            raise DemoFailed(
                f"{flow}/{run} succeeded on Airflow, and its step {end} has no record in {store.url}."
            )
        public = {name: entry for name, entry in record.artifacts.items() if not name.startswith("_")}
        return ArtifactReader(store).load_many(public)

    def _report(self, rest: AirflowRest, dag_id: str, status: RunStatus) -> str:
        lines = [f"The run {dag_id}/{status.run} has failed: {_progress(status)}"]
        lines += [f"{pathspec}: {error}" for pathspec, error in status.failed.items()]
        instances = rest.task_instances(dag_id, status.dag_run_id)
        failed = [instance for instance in instances if instance["state"] == "failed"]
        run_logs = self._airflow.logs / f"dag_id={dag_id}" / f"run_id={status.dag_run_id}"
        for instance in failed[:FAILURES_SHOWN]:
            folder = run_logs / f"task_id={instance['task_id']}"
            if instance["map_index"] >= 0:
                folder /= f"map_index={instance['map_index']}"
            log = folder / f"attempt={instance['try_number']}.log"
            lines += [f"--- {instance['task_id']}, {log}", log_tail(log)]
        return "\n".join(lines)


def _progress(status: RunStatus) -> str:
    total: Counter[str] = Counter()
    for states in status.steps.values():
        total.update(states)
    failed = total["failed"] + total["upstream_failed"]
    waiting = total.total() - failed - total["success"] - total["running"]
    parts = [f"{total['success']} done", f"{total['running']} running", f"{waiting} waiting"]
    return ", ".join([*parts, f"{failed} failed"] if failed else parts)
