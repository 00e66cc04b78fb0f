"""A flow that fails, is edited and resumed, and fails again, here and in Airflow, until it succeeds."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP
from airflow_mlflow_provider.runtime.resume_origin import Origin
from airflow_mlflow_provider.store.ledger import Ledger
from tests.flow_runs import FlowFile
from tests.model.flow_text import NAME, flow_text
from tests.model.observed import observed_in, runs_in
from tests.model.reference import Expected, TaskKey, interpret
from tests.model.spec import Block, Fault, Gang, items_of

Side = Literal["here", "airflow"]
_moments = itertools.count()
_FIRST = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)


@dataclass(frozen=True)
class Leg:
    """One run on the way.

    Attributes:
        flow: The flow as it is by then.
        side: Where it runs.
        fault: What fails, ``None`` for nothing.
        rerun_changed: Whether it reruns steps whose code differs.
    """

    flow: Block
    side: Side = "here"
    fault: Fault | None = None
    rerun_changed: bool = False


class AirflowSide(Protocol):
    """An Airflow that runs and resumes flows, and waits for their runs to be sealed."""

    def start(self, file: FlowFile) -> str:
        """Run a flow; the run id."""
        ...

    def resume(self, file: FlowFile, origin: str, rerun_changed: bool) -> str:
        """Resume a run of it; the run id."""
        ...


class InThisProcess:
    """Airflow as `dag.test()`, where tasks that are taken over find themselves so."""

    def start(self, file: FlowFile) -> str:
        """Run a flow; the run id."""
        from airflow_mlflow_provider.dag import build_dag
        from tests.dag.deployed import Finished, manifest_from
        from tests.services.dag_test import run_dag

        manifest = manifest_from(file.path, file.store)
        return Finished.of(manifest, run_dag(build_dag(manifest), expected=None)).run

    def resume(self, file: FlowFile, origin: str, rerun_changed: bool) -> str:
        """Resume a run of it; the run id."""
        from airflow_mlflow_provider.dag import build_dag
        from airflow_mlflow_provider.deploy.resuming import ResumeOptions, plan_deployed_resume, store_resumed
        from tests.dag.deployed import manifest_from
        from tests.services.dag_test import run_dag

        manifest, moment = (
            manifest_from(file.path, file.store),
            _FIRST + datetime.timedelta(hours=next(_moments)),
        )
        plan = plan_deployed_resume(file.ledger, manifest, ResumeOptions(origin, rerun_changed=rerun_changed))
        dag_run_id = f"manual__{moment.isoformat()}"
        record = store_resumed(file.ledger, manifest, plan, dag_run_id)
        run = run_dag(build_dag(manifest), record.parameters, expected=None, logical_date=moment)
        assert run.run_id == dag_run_id
        return record.run


class Journey:
    """Runs that resume one another, in one store.

    Args:
        folder: Where flow files go.
        airflow: The Airflow.
        store: The store; one in the folder by default.
    """

    def __init__(self, folder: Path, airflow: AirflowSide | None = None, store: str = "") -> None:
        self._folder = folder
        self._airflow = airflow or InThisProcess()
        self._store = store or (folder / "store").as_uri()
        self._runs: list[str] = []
        self._told = ""

    def check(self, legs: Sequence[Leg]) -> None:
        """Make the runs; compare the last one with one of its flow that was never interrupted."""
        before: Leg | None = None
        for leg in legs:
            self._runs.append(self._resume(leg) if self._runs else self._start(leg))
            self._is_noted_as_it_is_listed(self._runs[-1])
            # What came after a split that was done without runs again when the split comes back.
            exact = not leg.rerun_changed and all(getattr(i, "ratio", 1) == 1 for i in items_of(leg.flow))
            if before is not None and before.flow == leg.flow and exact:
                self._nothing_ran_twice(before, leg)
            before = leg
        last = legs[-1].flow
        assert self._observed(self._runs[-1], last) == interpret(last), self._told

    def _start(self, leg: Leg) -> str:
        file = self._file(leg)
        if leg.side == "here":
            self._told = (ran := file.run()).told()
            return ran.run
        return self._airflow.start(file)

    def _resume(self, leg: Leg) -> str:
        file, origin = self._file(leg), self._runs[-1]
        if leg.side == "airflow":
            return self._airflow.resume(file, origin, leg.rerun_changed)
        options = ("--rerun-changed",) if leg.rerun_changed else ()
        self._told = (ran := file.run("--origin-run-id", origin, *options, command="resume")).told()
        return ran.run

    def _file(self, leg: Leg) -> FlowFile:
        folder = self._folder / f"leg{len(self._runs)}"
        return FlowFile(folder, flow_text(leg.flow, leg.fault), self._store)

    def _observed(self, run: str, flow: Block) -> Expected:
        return observed_in(self._ledger, NAME, run, flow)

    @property
    def _ledger(self) -> Ledger:
        return FlowFile(self._folder / "reader", "class ModelFlow(FlowSpec): pass", self._store).ledger

    def _is_noted_as_it_is_listed(self, run: str) -> None:
        """What a run notes of its tasks when it ends is what whoever resumes it would find without the note."""
        ledger = self._ledger
        origin = Origin(ledger, NAME, run)
        for step in set(ledger.steps(NAME, run)) - {PARAMETERS_STEP}:
            listed = ledger.newest_finished_keys(NAME, run, step)
            assert (origin.finished(step), origin.failed(step)) == listed, (step, self._told)

    def _nothing_ran_twice(self, before: Leg, leg: Leg) -> None:
        """What finished in a run is not run by the one that resumes it."""
        *_, origin, resumed = self._runs
        was, now = (
            runs_in(self._ledger, NAME, origin, leg.flow),
            runs_in(self._ledger, NAME, resumed, leg.flow),
        )
        finished = self._observed(origin, before.flow).finished - broken_gang(leg.flow, before.fault)
        assert {key: now.get(key) for key in finished} == {key: was[key] for key in finished}, self._told


def broken_gang(flow: Block, fault: Fault | None) -> set[TaskKey]:
    """The nodes that a failed node takes with it: a gang runs again as a whole."""
    members = {item.member for item in items_of(flow) if isinstance(item, Gang)}
    if fault is None or fault.step not in members:
        return set()
    frame = fault.task.rpartition("-")[0]
    nodes: Mapping[TaskKey, object] = interpret(flow).tasks
    return {(s, t) for s, t in nodes if s == fault.step and t.rpartition("-")[0] == frame}
