"""Runs a DAG in this process with `dag.test()`: Airflow's own dependency rules, one task after another, no servers.

Airflow reads its settings when it is first imported. `prepare_environment`, called by `tests/conftest.py` before any test module is
imported, points it at a throw-away home; the database is copied from a template when the first DAG runs.
"""

import datetime
import functools
import importlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.services.airflow_database import copy_sqlite_template

if TYPE_CHECKING:
    from airflow.sdk import DAG

HOME_PREFIX = "airflow-home-"
BUNDLE = "tests"


def prepare_environment() -> Path:
    """Give this process, and those that it starts, an Airflow home of its own; returns it. Imports no Airflow."""
    home = Path(tempfile.mkdtemp(prefix=HOME_PREFIX))
    (home / "dags").mkdir()
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            # Workers of a live Airflow wait a second between heartbeats, too: what is deferred or retried ends as quickly here.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        }
    )
    return home


def remove_environment(home: Path) -> None:
    """Delete the home that `prepare_environment` made."""
    assert home.name.startswith(HOME_PREFIX), f"{home} is not a home made for tests"
    shutil.rmtree(home, ignore_errors=True)


@functools.cache
def initialise_database() -> None:
    """Make this process's Airflow database ready for use through the ORM; once per process, however often it is called."""
    home = Path(os.environ["AIRFLOW_HOME"])
    assert home.name.startswith(HOME_PREFIX), (
        f"AIRFLOW_HOME is {home}: will not touch a database that is not ours"
    )
    if not (home / "airflow.db").exists():
        copy_sqlite_template(home / "airflow.db")

    with warnings.catch_warnings():
        # What Airflow's in-process API imports warns about its dependencies; only our own warnings are our errors.
        warnings.simplefilter("ignore")
        importlib.import_module("airflow.api_fastapi.execution_api.app")
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name=BUNDLE))


@dataclass(frozen=True)
class DagTestRun:
    """How a run of `dag.test()` ended.

    `state` is `success` or `failed`; `states` has the state of each task instance under its label (`task`, `task[3]`).
    """

    dag_id: str
    run_id: str
    state: str
    states: Mapping[str, str | None]
    xcoms: Mapping[tuple[str, int, str], Any]

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """The value of an XCom.

        Raises:
            KeyError: the task pushed none under that key.
        """
        return self.xcoms[task_id, map_index, key]


def run_dag(
    dag: "DAG",
    conf: Mapping[str, Any] | None = None,
    *,
    expected: str | None = "success",
    logical_date: datetime.datetime | None = None,
) -> DagTestRun:
    """Run a DAG from its first task to its last.

    A task with retries is tried again only after its `retry_delay`: set that to nothing in the DAG, or this waits for it.

    Args:
        dag: the DAG, from any source: it needs no file in a DAGs folder.
        conf: the run's configuration; values of the DAG's params.
        expected: the state that the run must end in; None accepts both.
        logical_date: the run's, which decides on its id; now by default.

    Raises:
        AssertionError: it ended in another state. What the tasks logged is in the captured output of the test.
    """
    initialise_database()
    serialize(dag)
    moment = logical_date or datetime.datetime.now(datetime.timezone.utc)
    run = dag.test(run_conf=dict(conf or {}), logical_date=moment, run_after=moment)
    found = _read(dag.dag_id, run.run_id, str(run.state))
    states = "".join(f"\n  {label}: {state}" for label, state in found.states.items())
    assert expected in (None, found.state), f"{dag.dag_id} is {found.state}, not {expected}:{states}"
    return found


def serialize(dag: "DAG") -> None:
    """Put a DAG into the database, as the DAG processor would; see :func:`initialise_database`."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, BUNDLE, None)


def _read(dag_id: str, run_id: str, state: str) -> DagTestRun:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        instances = session.scalars(
            select(TaskInstance)
            .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
            .order_by(TaskInstance.task_id, TaskInstance.map_index)
        ).all()
        rows = session.scalars(
            select(XComModel).where(XComModel.dag_id == dag_id, XComModel.run_id == run_id)
        ).all()
        return DagTestRun(
            dag_id,
            run_id,
            state,
            {_label(one.task_id, one.map_index): one.state and str(one.state) for one in instances},
            {(row.task_id, row.map_index, row.key): XComModel.deserialize_value(row) for row in rows},
        )


def _label(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"
