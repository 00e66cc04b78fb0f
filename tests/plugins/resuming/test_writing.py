"""The rows of a resumed DAG run: those of a mapped task are what Airflow itself would have made, whoever has a say in them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from airflow_mlflow_provider.dag.build import build_dag
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plugins.resuming.instances import finished_instances
from tests.dag.manifests import manifest_for
from tests.plan.shapes import SHAPES
from tests.plugins.resuming.test_instances import Origin
from tests.services.dag_test import initialise_database, serialize

SHAPE = "foreach"
# What a resume decides, and what is another one for each row.
OWN = {"id", "map_index", "state", "start_date", "end_date", "duration", "try_number", "updated_at", "note"}
OWN |= {"_rendered_map_index", "context_carrier"}
# Airflow, too, gives it to the rows that a DAG run begins with, and to none that it expands.
OWN |= {"_task_display_property_value"}


def queue_of_its_own(task_instance: Any, dag_run: Any = None) -> None:
    """A cluster policy, as a site may have."""
    task_instance.queue = f"queue-{max(task_instance.map_index, 0) % 2}"


def written(left: str, width: int) -> tuple[Any, list[Any]]:
    """The template row that Airflow has made of the mapped task, and all that a resume has made of it."""
    from airflow.models.dagbag import DBDagBag
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import inspect, select

    from airflow_mlflow_provider.plugins.resuming.writing import RunOrder, write_resumed_run

    initialise_database()
    manifest = manifest_for(SHAPES[SHAPE])
    deployment = Deployment(manifest)
    serialize(build_dag(manifest))
    body = next(node.name for node in manifest.graph if node.frames)
    split = next(node.name for node in manifest.graph if node.kind == "foreach")
    origin = Origin(SHAPE, f"{body}/{left}", widths={split: width})
    finished = finished_instances(deployment, origin.plan(), 100)
    origins = {one.origins[0]: {"pathspec": one.origins[0]} for one in finished.instances if one.origins}
    names = [attr.key for attr in inspect(TaskInstance).column_attrs]
    with create_session(scoped=False) as session:
        dag = DBDagBag(load_op_links=False).get_latest_version_of_dag(manifest.dag_id, session=session)
        assert dag is not None
        order = RunOrder(
            f"resumed-{uuid.uuid4().hex}", {}, "Resumes another.", user="admin", user_id="1", from_ui=False
        )
        write_resumed_run(session, dag, deployment, finished, origins, order)
    with create_session(scoped=False) as session:
        query = select(TaskInstance).where(
            TaskInstance.run_id == order.dag_run_id, TaskInstance.task_id == body
        )
        rows = session.scalars(query.order_by(TaskInstance.map_index)).all()
        found = [{**{name: getattr(row, name) for name in names}, "note": row.note} for row in rows]
    return found[0], found


@pytest.mark.parametrize("policy", [False, True])
def test_instances_differ_from_airflows_in_what_a_resume_decides(
    monkeypatch: pytest.MonkeyPatch, policy: bool
) -> None:
    if policy:
        monkeypatch.setattr("airflow.settings.task_instance_mutation_hook", queue_of_its_own)
    first, rows = written("0002", 5)
    assert [row["map_index"] for row in rows] == list(range(5))
    assert [row["state"] for row in rows] == ["success", "success", None, "success", "success"]
    assert [row["try_number"] for row in rows] == [1, 1, 0, 1, 1]
    assert [bool(row["note"]) for row in rows] == [True, True, False, True, True]
    assert all("/0004. Nothing was run." in row["note"] for row in rows[4:])
    assert len({row["id"] for row in rows}) == 5
    differing = {name for row in rows[1:] for name in first if row[name] != first[name]}
    assert differing - OWN == ({"queue"} if policy else set())
    if policy:
        assert [row["queue"] for row in rows] == ["queue-0", "queue-1", "queue-0", "queue-1", "queue-0"]
