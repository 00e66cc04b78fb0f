"""From the records of the store to what the routes answer."""

from __future__ import annotations

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.plugins.models import ArtifactView, RunView, StepView, TaskPage, TaskView
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import DoneRecord, RunRecord

PAGE = 200


class DagRunReader:
    """Reads the run of a flow that a DAG run is.

    Args:
        dag_id: The DAG.
        dag_run_id: The DAG run.

    Raises:
        MetaflowNotFound: No flow is deployed as this DAG, or the run has not begun.
    """

    def __init__(self, dag_id: str, dag_run_id: str) -> None:
        self.manifest = deployed_manifest(dag_id)
        self.ledger = Ledger(open_store(self.manifest.store))
        self.flow = self.manifest.flow_name
        self.run = airflow_run_id(dag_id, dag_run_id)
        self.record: RunRecord = self.ledger.run(self.flow, self.run)

    def view(self, may_resume: bool) -> RunView:
        """The run as a whole."""
        end = self.ledger.run_end(self.flow, self.run)
        pinned = decode(self.ledger.blob(self.record.manifest), f"manifest of {self.run}")
        begun = set(self.ledger.steps(self.flow, self.run)) - {PARAMETERS_STEP}
        return RunView(
            pathspec=f"{self.flow}/{self.run}",
            status=end.status if end else "running",
            reason=end.reason if end else "",
            parameters=self.record.parameters,
            origin=self.record.origin,
            code=self.record.code,
            tags=sorted({*self.record.tags, *self.record.system_tags}),
            steps=[
                self._step(name, pinned.graph[name].doc, name in begun) for name in pinned.graph.topological()
            ],
            may_resume=may_resume and end is not None,
        )

    def tasks(self, step: str, offset: int) -> TaskPage:
        """A page of the tasks of a step."""
        ids = self.ledger.tasks(self.flow, self.run, step)
        shown = ids[offset : offset + PAGE]
        keys = self.ledger.newest_done_keys(self.flow, self.run, step)
        records = self.ledger.load_done([keys[task] for task in shown if task in keys])
        by_task = {record.key.task: record for record in records}
        following = offset + PAGE
        return TaskPage(
            tasks=[self._task(task, by_task.get(task)) for task in shown],
            next=following if following < len(ids) else None,
        )

    def artifacts(self, step: str, task: str) -> list[ArtifactView]:
        """The artifacts of a task, as they were described when they were saved."""
        record = self.ledger.newest_done(self.flow, self.run, step, task)
        entries = record.artifacts if record else {}
        return [
            ArtifactView(name=n, type=e.type, size=e.size, digest=e.digest, preview=e.preview)
            for n, e in sorted(entries.items())
            if not n.startswith("_")
        ]

    def _step(self, name: str, doc: str, begun: bool) -> StepView:
        if not begun:
            return StepView(step=name, doc=doc)
        return StepView(
            step=name,
            doc=doc,
            tasks=len(self.ledger.tasks(self.flow, self.run, name)),
            taken_over=len(self.ledger.carried(self.flow, self.run).keys(self.flow, name)),
        )

    def _task(self, task: str, record: DoneRecord | None) -> TaskView:
        if record is None:
            return TaskView(task=task, status="running")
        labels = [f"{frame.var or frame.step}={frame.label or frame.index}" for frame in record.frames]
        return TaskView(
            task=task,
            status=record.outcome,
            labels=labels,
            seconds=round(record.ended_at - record.started_at, 3),
            error=record.exception.message if record.exception else "",
            origin=record.key.pathspec if record.key.run != self.run else None,
        )


def deployed_manifest(dag_id: str) -> FlowManifest:
    """The manifest of a DAG, from the deployments of the store that the API server is configured with.

    Raises:
        MetaflowNotFound: The store is not configured, or nothing is deployed as this DAG.
    """
    root = get("datastore_root")
    if not root:
        raise MetaflowNotFound(
            "The API server does not know the artifact store.",
            fix="Set datastore_root in [mlflow_provider] for the API server (AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT).",
        )
    record = Deployments(Ledger(open_store(str(root))).store).find(dag_id)
    if record is None:
        raise MetaflowNotFound(
            f"No flow is deployed as the DAG {dag_id} from {root}.",
            fix="Deploy it with `airflow create`; a DAG that is no flow has no such page.",
            where={"dag": dag_id},
        )
    return record.flow_manifest()
