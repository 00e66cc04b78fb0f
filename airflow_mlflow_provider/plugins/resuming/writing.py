"""Putting a resumed DAG run and its finished task instances into Airflow's database; the caller commits.

This is Airflow's inside (`create_dagrun` is private, the rows are the scheduler's), so it is kept to this file, and shown on a live
scheduler by the tests. The scheduler sees nothing before the commit: it never meets a run that is half there.

Order matters, by foreign keys: task instances, then the lengths of lists to map over, then XComs.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
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
        self._instances: dict[tuple[str, int], TaskInstance] = {
            (one.task_id, one.map_index): one for one in run.get_task_instances(session=session)
        }
        if not self._instances:
            # Airflow rolls back and says nothing where another process made the same run.
            raise CommandException(f"There is a DAG run {run.run_id} already.", fix="Ask for another id.")

    def write(self, deployment: Deployment, finished: FinishedInstances) -> None:
        for task_id, width in finished.widths.items():
            self._expand(task_id, width)
        for one in finished.instances:
            self._finish(self._instances[one.task_id, one.map_index], one)
        self._waited_for(deployment, finished)
        self._session.flush()
        self._leave(finished)

    def _expand(self, task_id: str, width: int) -> None:
        """Make the instances of a mapped task; as Airflow does, the one that stands for all becomes the first."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.settings import task_instance_mutation_hook

        template = self._instances.pop((task_id, NOT_MAPPED))
        template.map_index = 0
        self._instances[task_id, 0] = template
        for index in range(1, width):
            one = TaskInstance(
                self._dag.get_task(task_id),
                run_id=self._run.run_id,
                map_index=index,
                dag_version_id=template.dag_version_id,
            )
            if not getattr(task_instance_mutation_hook, "is_noop", False):
                task_instance_mutation_hook(one, dag_run=self._run)
            self._session.add(one)
            self._instances[task_id, index] = one

    def _finish(self, instance: TaskInstance, one: FinishedInstance) -> None:
        instance.state = one.state
        instance.start_date = instance.end_date = self._now
        instance.duration = 0.0
        if one.label:
            instance._rendered_map_index = one.label
        if one.state == "success":
            instance.try_number = _TRIED
        if one.origins:
            more = f" and {len(one.origins) - 1} more" if len(one.origins) > 1 else ""
            instance.note = (
                f"Taken over from {one.origins[0]}{more}. Nothing was run."[:_NOTE_LENGTH],
                self._user_id,
            )

    def _waited_for(self, deployment: Deployment, finished: FinishedInstances) -> None:
        """What the start step waited for need not come again for a run that does not start there."""
        start = deployment.plan.unit_of(deployment.manifest.graph.start).name
        if not any(one.task_id == start for one in finished.instances):
            return
        for task_id in self._dag.get_task(start).upstream_task_ids:
            instance = self._instances[task_id, NOT_MAPPED]
            self._finish(instance, FinishedInstance(task_id, NOT_MAPPED, "success"))
            instance.note = ("The run that is resumed had waited for it.", self._user_id)

    def _leave(self, finished: FinishedInstances) -> None:
        from airflow.models.taskmap import TaskMap
        from airflow.models.xcom import XComModel

        place: dict[str, Any] = {"dag_id": self._run.dag_id, "run_id": self._run.run_id}
        xcoms = []
        for one in finished.instances:
            where = {**place, "task_id": one.task_id, "map_index": one.map_index}
            if RETURN_KEY in one.xcoms:
                self._session.add(TaskMap(**where, length=len(one.xcoms[RETURN_KEY]), keys=None))
            values = {**one.xcoms, **self._origin(one)}
            xcoms += [
                XComModel(dag_run_id=self._run.id, key=key, value=value, **where)
                for key, value in values.items()
            ]
        self._session.flush()
        self._session.add_all(xcoms)
        self._session.flush()

    def _origin(self, one: FinishedInstance) -> dict[str, Any]:
        return {ORIGIN_KEY: dict(self._origins[one.origins[0]])} if one.origins else {}
