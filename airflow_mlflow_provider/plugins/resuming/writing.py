"""Putting a resumed DAG run and its finished task instances into Airflow's database; the caller commits.

This is Airflow's inside (`create_dagrun` is private, the rows are the scheduler's), so it is kept to this file, and shown on a live
scheduler by the tests. The scheduler sees nothing before the commit: it never meets a run that is half there.

Order matters, by foreign keys: task instances, then the lengths of lists to map over, then XComs.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.operators.origin import ORIGIN_KEY
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.units import planning_task
from airflow_mlflow_provider.plugins.resuming.instances import (
    NOT_MAPPED,
    RETURN_KEY,
    FinishedInstance,
    FinishedInstances,
)

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.definitions.dag import SerializedDAG
    from sqlalchemy.orm import Session

# A task taken over has been tried: what clears it gets the second attempt, which is not taken over again.
_TRIED = 1
_NOTE_LENGTH = 1000


class RunOrder(msgspec.Struct, frozen=True):
    """The DAG run to make.

    Attributes:
        dag_run_id: Its id.
        conf: Its configuration: the values of the flow's parameters.
        note: What it is, for people.
        user: Name of who asked for it.
        user_id: Airflow's id of them, for notes.
        from_ui: Whether they asked in a browser.
    """

    dag_run_id: str
    conf: dict[str, Any]
    note: str
    user: str
    user_id: str | None
    from_ui: bool


def check_parsed(dag: SerializedDAG, deployment: Deployment) -> None:
    """See that the DAG as Airflow has parsed it is that of the deployment.

    Raises:
        CommandException: It is not, or not yet.
    """
    plan = deployment.plan
    missing = {*plan.units, *map(planning_task, plan.planned)} - set(dag.task_dict)
    if missing:
        raise CommandException(
            f"The DAG {dag.dag_id}, as Airflow has parsed it, has no task {', '.join(sorted(missing))}.",
            fix="Wait until Airflow has parsed the newest deployment, then resume again.",
            where={"dag": dag.dag_id},
        )


def write_resumed_run(
    session: Session,
    dag: SerializedDAG,
    deployment: Deployment,
    finished: FinishedInstances,
    origins: Mapping[str, Mapping[str, Any]],
    order: RunOrder,
) -> DagRun:
    """Make the DAG run, queued, with its finished task instances.

    Args:
        session: A transaction of Airflow's database.
        dag: The DAG as Airflow has parsed it.
        deployment: The flow.
        finished: What is finished.
        origins: Where tasks that are taken over ran, by pathspec: the XCom ``origin`` of their instances.
        order: The run to make.

    Raises:
        CommandException: There is a DAG run of this id.
        ValueError: Airflow does not take the id or the configuration.
    """
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    run = dag.create_dagrun(
        run_id=order.dag_run_id,
        run_after=datetime.datetime.now(datetime.timezone.utc),
        conf=order.conf,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.UI if order.from_ui else DagRunTriggeredByType.REST_API,
        triggering_user_name=order.user,
        state=DagRunState.QUEUED,
        session=session,
    )
    run.note = (order.note, order.user_id)
    _Writer(session, dag, run, order.user_id, origins).write(deployment, finished)
    return run


class _Writer:
    """Writes each table in one go: a run of 1,000 splits has thousands of rows, and the browser that asked for it waits."""

    def __init__(
        self,
        session: Session,
        dag: SerializedDAG,
        run: DagRun,
        user_id: str | None,
        origins: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._session, self._dag, self._run = session, dag, run
        self._user_id, self._origins = user_id, origins
        self._now = datetime.datetime.now(datetime.timezone.utc)
        # What Airflow has made of the run: one instance of each task.
        self._made: dict[tuple[str, int], TaskInstance] = {
            (one.task_id, one.map_index): one for one in run.get_task_instances(session=session)
        }
        if not self._made:
            # Airflow rolls back and says nothing where another process made the same run.
            raise CommandException(f"There is a DAG run {run.run_id} already.", fix="Ask for another id.")
        self._rows: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []

    def write(self, deployment: Deployment, finished: FinishedInstances) -> None:
        from airflow.models.taskinstance import TaskInstance, TaskInstanceNote

        mapped: dict[str, dict[int, FinishedInstance]] = {task_id: {} for task_id in finished.widths}
        for one in finished.instances:
            if one.task_id in mapped:
                mapped[one.task_id][one.map_index] = one
            else:
                self._finish(one)
        for task_id, width in finished.widths.items():
            self._expand(task_id, width, mapped[task_id])
        self._waited_for(deployment, finished)
        self._session.flush()
        self._session.bulk_insert_mappings(TaskInstance, self._rows)
        self._session.bulk_insert_mappings(TaskInstanceNote, self._notes)
        self._leave(finished)

    def _expand(self, task_id: str, width: int, finished: Mapping[int, FinishedInstance]) -> None:
        """Make the instances of a mapped task; as Airflow does, the one that stands for all becomes the first."""
        from airflow.models.taskinstance import uuid7

        first = self._made.pop((task_id, NOT_MAPPED))
        first.map_index = 0
        self._made[task_id, 0] = first
        if 0 in finished:
            self._finish(finished[0])
        for index, columns in enumerate(self._new_rows(task_id, width, first.dag_version_id), 1):
            row = {**columns, "id": uuid7(), "map_index": index, **self._ending(finished.get(index))}
            self._rows.append(row)
            if index in finished:
                self._take_note(row["id"], _note_of(finished[index]))

    def _new_rows(self, task_id: str, width: int, dag_version_id: Any) -> Iterator[dict[str, Any]]:
        """What Airflow would put into the columns of new instances, from the second one on."""
        from airflow.settings import task_instance_mutation_hook

        if getattr(task_instance_mutation_hook, "is_noop", False):
            # They differ in nothing else, and a thousand objects take their time.
            yield from itertools.repeat(_columns_of(self._instance(task_id, 1, dag_version_id)), width - 1)
            return
        for index in range(1, width):
            instance = self._instance(task_id, index, dag_version_id)
            task_instance_mutation_hook(instance, dag_run=self._run)
            yield _columns_of(instance)

    def _instance(self, task_id: str, map_index: int, dag_version_id: Any) -> TaskInstance:
        from airflow.models.taskinstance import TaskInstance

        task, run_id = self._dag.get_task(task_id), self._run.run_id
        return TaskInstance(task, run_id=run_id, map_index=map_index, dag_version_id=dag_version_id)

    def _finish(self, one: FinishedInstance, note: str = "") -> None:
        """Finish an instance that Airflow has made."""
        instance = self._made[one.task_id, one.map_index]
        for name, value in self._ending(one).items():
            setattr(instance, name, value)
        self._take_note(instance.id, note or _note_of(one))

    def _ending(self, one: FinishedInstance | None) -> dict[str, Any]:
        """The columns that tell a finished instance from one that is to be scheduled."""
        ended = None if one is None else self._now
        return {
            "state": None if one is None else one.state,
            "start_date": ended,
            "end_date": ended,
            "duration": None if one is None else 0.0,
            "try_number": _TRIED if one is not None and one.state == "success" else 0,
            "_rendered_map_index": (one.label if one is not None else "") or None,
        }

    def _take_note(self, instance: Any, text: str) -> None:
        if text:
            self._notes.append({"ti_id": instance, "content": text[:_NOTE_LENGTH], "user_id": self._user_id})

    def _waited_for(self, deployment: Deployment, finished: FinishedInstances) -> None:
        """What the start step waited for need not come again for a run that does not start there."""
        start = deployment.plan.unit_of(deployment.manifest.graph.start).name
        if not any(one.task_id == start for one in finished.instances):
            return
        for task_id in self._dag.get_task(start).upstream_task_ids:
            waited = FinishedInstance(task_id, NOT_MAPPED, "success")
            self._finish(waited, "The run that is resumed had waited for it.")

    def _leave(self, finished: FinishedInstances) -> None:
        from airflow.models.taskmap import TaskMap
        from airflow.models.xcom import XComModel

        place: dict[str, Any] = {"dag_id": self._run.dag_id, "run_id": self._run.run_id}
        lengths, xcoms = [], []
        for one in finished.instances:
            where = {**place, "task_id": one.task_id, "map_index": one.map_index}
            if RETURN_KEY in one.xcoms:
                lengths.append({**where, "length": len(one.xcoms[RETURN_KEY]), "keys": None})
            values = {**one.xcoms, **self._origin(one)}
            xcoms += [
                {**where, "dag_run_id": self._run.id, "key": key, "value": value}
                for key, value in values.items()
            ]
        _let_keys_be_checked(self._session)
        self._session.bulk_insert_mappings(TaskMap, lengths)
        self._session.bulk_insert_mappings(XComModel, xcoms)

    def _origin(self, one: FinishedInstance) -> dict[str, Any]:
        return {ORIGIN_KEY: dict(self._origins[one.origins[0]])} if one.origins else {}


def _note_of(one: FinishedInstance) -> str:
    if not one.origins:
        return ""
    more = f" and {len(one.origins) - 1} more" if len(one.origins) > 1 else ""
    return f"Taken over from {one.origins[0]}{more}. Nothing was run."


def _columns_of(instance: TaskInstance) -> dict[str, Any]:
    """What is set in a new instance, by attribute."""
    from sqlalchemy import inspect

    values, names = vars(instance), inspect(type(instance)).column_attrs.keys()
    return {name: values[name] for name in names if name in values}


def _let_keys_be_checked(session: Session) -> None:
    """See that PostgreSQL finds the task instance of an XCom by its key.

    For each XCom it checks that its task instance is there. Of a table that it has never analysed, as in an Airflow that is new, it
    takes all indexes for equally good, and reads all instances of the DAG for each of thousands of XComs.
    """
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import text

    if session.get_bind().dialect.name != "postgresql":
        return
    table = TaskInstance.__table__.fullname
    rows = session.scalar(
        text("SELECT reltuples FROM pg_class WHERE oid = CAST(:table AS regclass)"), {"table": table}
    )
    if rows is not None and rows <= 0:
        session.execute(text(f"ANALYZE {table}"))
