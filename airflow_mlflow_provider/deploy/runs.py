"""Starting and following runs of deployed flows."""

from __future__ import annotations

import datetime
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.exception import AirflowApiError, CommandException, MetaflowNotFound
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plan.run_tags import note_of
from airflow_mlflow_provider.store.ledger import Ledger

_POLL_SECONDS = 1.0
_ENDED = ("success", "failed")


class StartedRun(msgspec.Struct, frozen=True):
    """A run that Airflow has accepted.

    Attributes:
        dag_id: Its DAG.
        dag_run_id: Its DAG run.
        run: Its run id in the store.
        url: Its page in the Airflow UI.
    """

    dag_id: str
    dag_run_id: str
    run: str
    url: str


class RunStatus(msgspec.Struct, frozen=True):
    """How a run of a deployed flow stands.

    Attributes:
        run: Run id.
        dag_run_id: Its DAG run.
        state: Airflow's state of it.
        steps: For each step, how many task instances are in which state.
        failed: Pathspec and error of the tasks that failed.
        url: Its page in the Airflow UI.
    """

    run: str
    dag_run_id: str
    state: str
    steps: dict[str, dict[str, int]]
    failed: dict[str, str]
    url: str

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in _ENDED


def new_dag_run_id() -> str:
    """A DAG run id, so that the run id is known before Airflow is asked."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return f"manual__{now.isoformat()}_{secrets.token_hex(3)}"


def check_conf(manifest: FlowManifest, values: Mapping[str, Any]) -> None:
    """See that every value is for a parameter.

    Raises:
        CommandException: A name is not a parameter, or is a config, which is frozen when a flow is deployed.
    """
    names = [spec.name for spec in manifest.parameters]
    for name in values:
        if name in manifest.editable_configs:
            continue
        if name in manifest.configs:
            raise CommandException(
                f"'{name}' is a config of {manifest.flow_name}, frozen when it was deployed; another value needs another deployment.",
                fix="Deploy the flow again with the new config, or with --editable-config so that runs may set it.",
                where={"config": name},
            )
        if name not in names:
            raise CommandException(
                f"{manifest.flow_name} has no parameter '{name}'; it has {', '.join(names) or 'none'}.",
                fix="Correct the name.",
                where={"parameter": name},
            )


def start_run(
    rest: AirflowRest,
    dag_id: str,
    values: Mapping[str, Any],
    dag_run_id: str,
    tags: Sequence[str] = (),
) -> StartedRun:
    """Trigger a deployed flow.

    Args:
        rest: Airflow.
        dag_id: The deployment.
        values: Of parameters.
        dag_run_id: Id of the DAG run.
        tags: User tags of this run, for people to see in its note.

    Raises:
        AirflowApiError: Airflow refused.
        CommandException: The tags are too long.
    """
    rest.trigger(dag_id, dag_run_id, values, note_of(tags))
    return StartedRun(
        dag_id, dag_run_id, airflow_run_id(dag_id, dag_run_id), rest.run_page(dag_id, dag_run_id)
    )


def wait_until_parsed(rest: AirflowRest, dag_id: str, file_name: str, since: float, seconds: float) -> None:
    """Wait until Airflow has parsed a DAG file as it is now.

    Args:
        rest: The Airflow.
        dag_id: The DAG.
        file_name: Name of its file.
        since: Unix time at which the file was written.
        seconds: How long to wait at most.

    Raises:
        AirflowApiError: The file has an import error, or was not parsed in time.
    """

    def parsed() -> bool:
        dag = rest.dag(dag_id)
        moment = dag.get("last_parsed_time") if dag else None
        if moment and datetime.datetime.fromisoformat(moment).timestamp() >= since:
            return True
        error = rest.import_error(file_name)
        if error:
            raise AirflowApiError(
                f"Airflow cannot import {file_name}:\n{error}",
                fix="Correct what the last line says, and deploy again.",
                where={"dag": dag_id, "file": file_name},
            )
        return False

    if not wait(parsed, seconds):
        raise AirflowApiError(
            f"Airflow at {rest.url} has not parsed {file_name} within {seconds:.0f} s.",
            fix="See that its DAG processor runs and reads that folder, or wait longer with deploy_wait_s.",
            where={"dag": dag_id},
        )


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask for a condition until it holds or the time is over; whether it held."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= give_up:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def find_dag_run(rest: AirflowRest, ledger: Ledger, flow: str, dag_id: str, run: str) -> str:
    """The DAG run id of a run id; a DAG run id is taken as well.

    Raises:
        MetaflowNotFound: Airflow knows no such run.
    """
    try:
        airflow = ledger.run(flow, run).airflow
    except MetaflowNotFound:
        airflow = {}
    if airflow.get("dag_id") == dag_id:
        return str(airflow["dag_run_id"])
    for dag_run in rest.dag_runs(dag_id):
        dag_run_id = str(dag_run["dag_run_id"])
        if run in (dag_run_id, airflow_run_id(dag_id, dag_run_id)):
            return dag_run_id
    raise MetaflowNotFound(
        f"The DAG {dag_id} has no run {run}.",
        fix="See `airflow list-runs` for the runs there are.",
        where={"dag": dag_id, "run": run},
    )


def run_status(rest: AirflowRest, ledger: Ledger, flow: str, dag_id: str, dag_run_id: str) -> RunStatus:
    """How a run stands: Airflow's states, and the errors that the store's records hold.

    Raises:
        MetaflowNotFound: Airflow knows no such run.
    """
    dag_run = rest.dag_run(dag_id, dag_run_id)
    if dag_run is None:
        raise MetaflowNotFound(f"The DAG {dag_id} has no run {dag_run_id}.", where={"dag": dag_id})
    steps: dict[str, Counter[str]] = {}
    for instance in rest.task_instances(dag_id, dag_run_id):
        steps.setdefault(instance["task_id"], Counter())[instance["state"] or "none"] += 1
    run = airflow_run_id(dag_id, dag_run_id)
    broken = [step for step, states in steps.items() if states["failed"]]
    return RunStatus(
        run=run,
        dag_run_id=dag_run_id,
        state=str(dag_run["state"]),
        steps={step: dict(states) for step, states in steps.items()},
        failed=dict(pair for step in broken for pair in _errors(ledger, flow, run, step)),
        url=rest.run_page(dag_id, dag_run_id),
    )


def _errors(ledger: Ledger, flow: str, run: str, step: str) -> list[tuple[str, str]]:
    records = ledger.load_done(list(ledger.newest_done_keys(flow, run, step).values()))
    return [
        (record.key.pathspec, f"{record.exception.type}: {record.exception.message}")
        for record in records
        if record.outcome == "failed" and record.exception is not None
    ]
