"""A run of a flow that a DAG run is."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_mlflow_provider.cards.facts import graph_steps
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.plugins.access import Asker
from airflow_mlflow_provider.plugins.models.runs import (
    GivenParameter,
    RunProgress,
    RunReference,
    RunView,
    StepOutline,
    StepStatus,
)
from airflow_mlflow_provider.plugins.reading.parts import RunPart, checked, parts_of
from airflow_mlflow_provider.plugins.reading.surveys import survey, survey_all
from airflow_mlflow_provider.plugins.stores import configured_store, deployed_manifest, ledger_at
from airflow_mlflow_provider.store.records import RunEnd, RunRecord, RunStatus
from airflow_mlflow_provider.store.survey import SurveyedTask
from airflow_mlflow_provider.store.user_tags import user_tags

_ENDED = ("success", "failed")


class RunReader:
    """Reads the run of a flow that a DAG run is.

    Args:
        dag_id: The DAG.
        run_id: Airflow's id of the DAG run.
        part: In a DAG of somebody else's, which of the DAG run's parts; by default the one that began first.

    Raises:
        MetaflowNotFound: No flow is deployed as this DAG or part of it, or the run has not begun.
    """

    def __init__(self, dag_id: str, run_id: str, part: str = "") -> None:
        self.dag_id, self.dag_run_id = dag_id, run_id
        self.parts: list[RunPart] = []
        try:
            deployed = deployed_manifest(dag_id)
        except MetaflowNotFound:
            self.parts = parts_of(dag_id, run_id)
            if not self.parts:
                raise
            self.store = configured_store()
            self.ledger = ledger_at(self.store)
            _, self.flow, self.run = checked(self.ledger, self._chosen(part), dag_id, run_id)
        else:
            self.store, self.flow = deployed.store, deployed.flow_name
            self.ledger = ledger_at(self.store)
            self.run = airflow_run_id(dag_id, run_id)

    def _chosen(self, part: str) -> RunPart:
        named = [one for one in self.parts if one.name == part]
        if part and not named:
            raise MetaflowNotFound(
                f"The DAG run has no part {part}, or it has not begun.",
                fix=f"Ask for one of {', '.join(one.name for one in self.parts)}.",
                where={"dag": self.dag_id, "run": self.dag_run_id},
            )
        return (named or self.parts)[0]

    @functools.cached_property
    def record(self) -> RunRecord:
        """What the run was started with."""
        return self.ledger.run(self.flow, self.run)

    @functools.cached_property
    def manifest(self) -> FlowManifest:
        """The flow as it was when the run began."""
        return decode(self.ledger.blob(self.record.manifest), f"manifest of {self.run}")

    @property
    def graph(self) -> FlowGraph:
        """Its graph."""
        return self.manifest.graph

    @functools.cached_property
    def airflow_state(self) -> str | None:
        """State of the DAG run; ``None`` if Airflow has forgotten it."""
        wanted = select(DagRun.state).where(DagRun.dag_id == self.dag_id, DagRun.run_id == self.dag_run_id)
        with create_session() as session:
            state = session.scalar(wanted)
        return None if state is None else str(getattr(state, "value", state))

    @functools.cached_property
    def end(self) -> RunEnd | None:
        """The verdict on the run; ``None`` while it goes on, also while cleared tasks of it run again."""
        end = self.ledger.run_end(self.flow, self.run)
        if end is None and self.airflow_state in _ENDED:
            # Ended by hand, or before the task that seals the run could.
            verdict: RunStatus = "succeeded" if self.airflow_state == "success" else "failed"
            return RunEnd(verdict, 0.0, "Airflow ended the DAG run before the flow did.")
        return end if self.airflow_state in (None, *_ENDED) else None

    @property
    def status(self) -> str:
        """``running``, or the verdict."""
        return self.end.status if self.end else "running"

    def view(self, asker: Asker) -> RunView:
        """The run as a whole, from four small reads."""
        record, end, manifest = self.record, self.end, self.manifest
        return RunView(
            pathspec=f"{self.flow}/{self.run}",
            dag_id=self.dag_id,
            dag_run_id=self.dag_run_id,
            status=self.status,
            reason=end.reason if end else "",
            created_at=record.created_at,
            ended_at=(end.ended_at or None) if end else None,
            user=record.user,
            parameters=_parameters(manifest, record),
            configs=manifest.configs,
            origin=self.reference(record.origin, asker) if record.origin else None,
            trigger=record.trigger,
            doc=manifest.graph.doc,
            code=record.code,
            environment=_environment(manifest, record),
            tags=sorted(user_tags(self.ledger, record)),
            system_tags=sorted(record.system_tags),
            steps=outline(manifest),
            parts=[part.name for part in self.parts],
            # Airflow resumes DAG runs of a flow's own DAG; a part of another one is resumed on a laptop.
            may_resume=end is not None and not self.parts and asker.may("POST", self.dag_id),
            may_edit=asker.may("PUT", self.dag_id),
        )

    def progress(self) -> RunProgress:
        """How its steps stand."""
        begun = set(self.ledger.steps(self.flow, self.run))
        steps = [name for name in self.graph.topological() if name in begun]
        surveys = survey_all(self.store, self.flow, self.run, steps, self._settled_at())
        return RunProgress(
            status=self.status,
            steps=[self._step(name, tasks) for name, tasks in zip(steps, surveys, strict=True)],
        )

    def survey(self, step: str) -> tuple[SurveyedTask, ...]:
        """The tasks of a step in the order of the splits.

        Raises:
            MetaflowNotFound: The flow has no such step.
        """
        if step not in self.graph:
            raise MetaflowNotFound(
                f"{self.flow} has no step {step}.",
                fix=f"Ask for one of {', '.join(self.graph.steps)}.",
                where={"flow": self.flow, "step": step},
            )
        return survey(self.store, self.flow, self.run, step, self._settled_at())

    def state(self, task: SurveyedTask) -> str:
        """State of a task; one that began and never ended is ``interrupted`` once its run has ended."""
        if task.state == "running" and self.end is not None:
            return "interrupted"
        return "failed" if task.key.pathspec in self._failed else task.state

    @functools.cached_property
    def _failed(self) -> frozenset[str]:
        return frozenset(self.end.failed_tasks if self.end else ())

    def _settled_at(self) -> float | None:
        # A run that Airflow ended by itself has no moment of its own, and may still have tasks that are being ended.
        return (self.end.ended_at or None) if self.end else None

    def _step(self, name: str, tasks: Sequence[SurveyedTask]) -> StepStatus:
        began = [task.began for task in tasks if task.began is not None]
        ended = [task.ended for task in tasks if task.ended is not None]
        return StepStatus(
            name=name,
            counts=self.counts(tasks),
            taken_over=sum(task.key.run != self.run for task in tasks),
            began_at=min(began, default=None),
            ended_at=max(ended, default=None),
        )

    def counts(self, tasks: Iterable[SurveyedTask]) -> dict[str, int]:
        """Number of tasks by state."""
        return dict(Counter(map(self.state, tasks)))

    def reference(self, run: str, asker: Asker) -> RunReference:
        """Where another run of the flow is, as far as the user may know."""
        try:
            airflow = self.ledger.run(self.flow, run).airflow
        except MetaflowNotFound:
            airflow = {}
        pathspec = f"{self.flow}/{run}"
        dag_id = airflow.get("dag_id")
        if not dag_id or not asker.may("GET", dag_id):
            return RunReference(pathspec=pathspec)
        return RunReference(pathspec=pathspec, dag_id=dag_id, dag_run_id=airflow.get("dag_run_id"))


def outline(manifest: FlowManifest) -> list[StepOutline]:
    """The steps of a flow, in the order of the graph."""
    drawn = {step["name"]: step for step in graph_steps(manifest)}
    nodes = [manifest.graph[name] for name in manifest.graph.topological()]
    return [
        StepOutline(
            **drawn[node.name],
            frames=list(node.frames),
            has_cards=any(spec.name == "card" for spec in node.decorators),
            decorators=[f"@{spec.name}" for spec in node.decorators],
        )
        for node in nodes
    ]


def _parameters(manifest: FlowManifest, record: RunRecord) -> list[GivenParameter]:
    """A local run records what was given, a run in Airflow every value."""
    specs = {spec.name: spec for spec in manifest.parameters}
    names = [*specs, *(name for name in record.parameters if name not in specs)]
    return [
        GivenParameter(
            name=name,
            value=record.parameters.get(name, specs[name].default if name in specs else None),
            is_given=name in record.parameters
            and (name not in specs or record.parameters[name] != specs[name].default),
            help=specs[name].help if name in specs else "",
            kind=specs[name].kind if name in specs else "value",
        )
        for name in names
    ]


def _environment(manifest: FlowManifest, record: RunRecord) -> dict[str, str]:
    facts = {
        "Python": record.python,
        "airflow-mlflow-provider": record.provider or manifest.provider,
        "Host": record.host,
        "Environment": manifest.environment,
        "Runs on": manifest.compute,
        "Store": manifest.store,
        "Script": manifest.code.script,
        "Deployed by": manifest.deployer,
    }
    locks = {f"Lock of {step}": digest for step, digest in sorted(record.environments.items())}
    return {name: value for name, value in {**facts, **locks}.items() if value}
