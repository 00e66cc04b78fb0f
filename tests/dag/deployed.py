"""Deploys the flows of `tests/dag/flows` for tests: a manifest that runs the flow's file where it is."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.source import read_graph
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest, decode
from airflow_mlflow_provider.runtime.assemble import assemble_manifest
from airflow_mlflow_provider.runtime.flow_code import find_flow_class
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.loading import ArtifactReader
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunRecord
from tests.services.dag_test import DagTestRun

FLOWS = Path(__file__).parent / "flows"


def deploy(name: str, store: Path | str, **changes: Any) -> FlowManifest:
    """The manifest of the flow in `flows/<name>.py`, with fields changed."""
    return msgspec.structs.replace(manifest_from(FLOWS / f"{name}.py", store), **changes)


def manifest_from(file: Path, store: Path | str) -> FlowManifest:
    """The manifest of the flow in a file."""
    specification = importlib.util.spec_from_file_location(f"flow_{file.stem}_{len(sys.modules)}", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module  # where `inspect` looks for the source of its classes
    specification.loader.exec_module(module)
    flow_class = find_flow_class(module, file, None)
    graph = read_graph(flow_class)
    code = Code(digest="", script=file.name, class_name=graph.name, source="bundle", path=str(file))
    return assemble_manifest(
        flow_class,
        graph,
        store=store if isinstance(store, str) else store.as_uri(),
        user="tester",
        code=code,
        configs={},
    )


class Finished:
    """A finished run, read back from the store."""

    def __init__(self, ledger: Ledger, flow: str, run: str) -> None:
        self.ledger = ledger
        self.flow = flow
        self.run = run

    @classmethod
    def of(cls, manifest: FlowManifest, run: DagTestRun) -> Finished:
        """What the store holds of a run of `dag.test()`."""
        return cls.of_dag_run(manifest, run.dag_id, run.run_id)

    @classmethod
    def of_dag_run(cls, manifest: FlowManifest, dag_id: str, dag_run_id: str) -> Finished:
        """What the store holds of a DAG run."""
        ledger = Ledger(open_store(manifest.store))
        return cls(ledger, manifest.flow_name, airflow_run_id(dag_id, dag_run_id))

    def artifact(self, step: str, name: str, task: str = "0") -> Any:
        """An artifact of the newest attempt of a task."""
        record = self.ledger.newest_done(self.flow, self.run, step, task)
        assert record is not None, f"{step}/{task} has no record"
        return ArtifactReader(self.ledger.store).load(name, record.artifacts[name])

    @property
    def record(self) -> RunRecord:
        """What the run was started with."""
        return self.ledger.run(self.flow, self.run)

    @property
    def pinned(self) -> FlowManifest:
        """The manifest that the run was started with."""
        return decode(self.ledger.blob(self.record.manifest))

    @property
    def status(self) -> str | None:
        """The verdict on the run."""
        end = self.ledger.run_end(self.flow, self.run)
        return None if end is None else end.status

    def attempts(self, step: str, task: str) -> list[int]:
        """Numbers of the attempts of a task that have begun."""
        return self.ledger.attempts(self.flow, self.run, step, task)

    def tasks(self, step: str) -> list[str]:
        """Ids of the tasks of a step."""
        return self.ledger.tasks(self.flow, self.run, step)


def map_labels(run: DagTestRun, task_id: str) -> list[str | None]:
    """What Airflow's UI shows for each instance of a mapped task."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(TaskInstance).where(
        TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id, TaskInstance.task_id == task_id
    )
    with create_session() as session:
        instances = session.scalars(query.order_by(TaskInstance.map_index))
        return [instance.rendered_map_index for instance in instances]
