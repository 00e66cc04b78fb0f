"""One try of a unit: what an Airflow task instance stands for in the store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.exception import MetaflowDataMissing
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.operators.attempt import Attempt, attempt_of
from airflow_mlflow_provider.operators.new_run import new_run
from airflow_mlflow_provider.operators.upstream import any_failed
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.identity import IndexPath, airflow_run_id, task_id
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.plan.scopes import is_tolerant
from airflow_mlflow_provider.plan.units import Unit
from airflow_mlflow_provider.runtime.request import UnitRequest
from airflow_mlflow_provider.runtime.resume import steps_until
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, RunEnd, RunStatus

if TYPE_CHECKING:
    from airflow.sdk import Context


class UnitTry:
    """What one try of a task instance has to do.

    Args:
        deployed: The flow as the DAG file has it now.
        unit: The unit that the task runs.
        paths: Index paths of the unit's scope that the instance stands for.
        context: Airflow's.
        parameters: Values of the flow's parameters where they are not the DAG run's.
        part: Which part of the DAG run the flow's run is, if it is not all of it.
        first: Storage attempt of the instance's first try.
    """

    def __init__(
        self,
        deployed: Deployment,
        unit: Unit,
        paths: tuple[IndexPath, ...],
        context: Context,
        parameters: Mapping[str, Any] | None = None,
        part: str = "",
        first: int = 0,
    ) -> None:
        self.unit = unit
        self._deployed = deployed
        self._context = context
        self._parameters = parameters
        self._first = first
        self._ti = context["ti"]
        self.flow = deployed.manifest.flow_name
        self.run = airflow_run_id(self._ti.dag_id, self._ti.run_id, part)
        self.paths = paths
        self.lost_paths: tuple[IndexPath, ...] = ()

    @property
    def task(self) -> str:
        """Id of the task in the store, if the unit runs one."""
        return task_id(self.paths[0])

    @property
    def starts_run(self) -> bool:
        """Whether the run begins with this unit."""
        return self._deployed.manifest.graph.start in self.unit.steps

    @property
    def ends_run(self) -> bool:
        """Whether the run ends with this unit."""
        return self._deployed.manifest.graph.end in self.unit.steps

    @cached_property
    def attempt(self) -> Attempt:
        """Which attempt this try is."""
        task = self._context["task"]
        caught = self._deployed.manifest.graph[self.unit.name].decorator("catch") is not None
        found = attempt_of(self._ti.try_number, self._ti.max_tries, task.retries or 0, caught)
        return found._replace(number=self._first + found.number)

    def attempt_of(self, name: str) -> AttemptKey:
        """This try's attempt of a task, given as ``step/task``."""
        step, _, task = name.partition("/")
        return AttemptKey(self.flow, self.run, step, task, self.attempt.number)

    def is_last(self, failed: Iterable[AttemptKey]) -> bool:
        """Whether tasks that have failed, or died in this try, are not tried again.

        Args:
            failed: Their attempts; those of a loop are counted for each iteration.
        """
        if self.unit.kind != "loop":
            return self.attempt.last
        from airflow_mlflow_provider.runtime.iterations import attempts_made, is_used_up

        node, attempt = self.pinned.manifest.graph[self.unit.name], self.attempt
        oldest = attempt.number - attempt.retry_count
        ended = (msgspec.structs.replace(key, attempt=attempt.number + 1) for key in failed)
        return all(is_used_up(node, attempts_made(self.ledger, key, oldest)) for key in ended)

    @cached_property
    def ledger(self) -> Ledger:
        """The records of the run's store."""
        from airflow_mlflow_provider.store.location import open_store

        return Ledger(open_store(self._deployed.manifest.store))

    @cached_property
    def pinned(self) -> Deployment:
        """The flow as it was when the run started; a later deployment changes nothing for it.

        Raises:
            MetaflowNotFound: The run has no record although it has been started.
        """
        from airflow_mlflow_provider.store.hashing import digest_of

        if self.starts_run:
            found = self.ledger.load_runs(self.flow, [self.run])
            if not found:
                return self._deployed
            digest = found[0].manifest
        else:
            digest = self.ledger.run(self.flow, self.run).manifest
        if digest == digest_of([self._deployed.encoded], len(self._deployed.encoded)):
            return self._deployed
        return Deployment(decode(self.ledger.blob(digest), f"the manifest of run {self.run}"))

    def chosen_paths(self) -> tuple[IndexPath, ...]:
        """Those index paths of the instance for which no switch took another way, and whose inputs have not failed.

        Raises:
            MetaflowDataMissing: A parent that must have finished has no record. Where the unit goes on without those, such a
                path is left out instead, and is one of :attr:`lost_paths` from then on.
        """
        if not self.unit.conditional and not self._inputs_failed:
            return self.paths
        from airflow_mlflow_provider.runtime.parents import chosen_parents

        if len(self.paths) == 1 and self._own_inputs_failed:
            self.lost_paths = self.paths
            return ()
        graph = self.pinned.manifest.graph
        inner = (0,) if self.unit.kind == "gang" else ()
        chosen: list[IndexPath] = []
        lost: list[IndexPath] = []
        for path in self.paths:
            try:
                parents = chosen_parents(self.ledger, graph, self.run, self.unit.name, (*path, *inner))
            except MetaflowDataMissing:
                if not self.unit.goes_on:
                    raise
                lost.append(path)
                continue
            if parents is not None:
                chosen.append(path)
        self.lost_paths = tuple(lost)
        return tuple(chosen)

    @cached_property
    def _inputs_failed(self) -> bool:
        """Whether the inputs of an index path may have failed: what comes before this instance has not all succeeded."""
        return self.unit.goes_on and (
            self._own_inputs_failed or any_failed(self._ti, self._before(own=False))
        )

    @cached_property
    def _own_inputs_failed(self) -> bool:
        """Whether what comes before this instance on the same index paths has not all succeeded."""
        index = self._ti.map_index if self.unit.frames else None
        return self.unit.goes_on and any_failed(self._ti, self._before(own=True), index)

    def _before(self, own: bool) -> list[str]:
        """Airflow tasks that come before the unit's: those of its own scope, or those of scopes inside it."""
        plan, manifest = self._deployed.plan, self._deployed.manifest
        names = {*self.unit.after, *([plan.unit_of(self.unit.closes).name] if self.unit.closes else [])}
        return sorted(
            manifest.airflow_task(name)
            for name in names
            if (plan.units[name].frames == self.unit.frames) is own
        )

    def request(self, paths: tuple[IndexPath, ...], fallback: str | None = None) -> UnitRequest:
        """What the runner is asked to do.

        Args:
            paths: Index paths of the unit's scope; a gang's runner finds its workers by itself.
            fallback: Cause of the processes' deaths, if only what ``@catch`` stores is left to do.

        Raises:
            CommandException: The DAG run was started with an unknown parameter, or lacks one.
        """
        manifest, attempt = self._deployed.manifest, self.attempt
        return UnitRequest(
            store=manifest.store,
            flow=self.flow,
            run=self.run,
            steps=self.unit.steps,
            paths=paths,
            attempt=attempt.number,
            retry_count=attempt.retry_count,
            last=attempt.last,
            new_run=new_run(self._deployed, self.ledger, self.run, self._context, self._parameters)
            if self.starts_run
            else None,
            airflow=self.airflow,
            max_workers=self._workers(),
            bundle=manifest.code.path if manifest.code.source == "bundle" else "",
            fallback=fallback,
        )

    @cached_property
    def airflow(self) -> dict[str, Any]:
        """Where the unit runs in Airflow."""
        logical_date = self._context["dag_run"].logical_date
        return {
            "dag_id": self._ti.dag_id,
            "dag_run_id": self._ti.run_id,
            "task_id": self._ti.task_id,
            "map_index": -1 if self._ti.map_index is None else self._ti.map_index,
            "try_number": self._ti.try_number,
            "log_url": self._ti.log_url,
            "logical_date": logical_date.isoformat() if logical_date else None,
        }

    @property
    def until(self) -> str | None:
        """Step that the run stops after, empty if it runs nothing, ``None`` if it goes to its end."""
        return self.ledger.carried(self.flow, self.run).until

    @property
    def is_wanted(self) -> bool:
        """Whether the run comes as far as to this unit."""
        until = self.until
        return until is None or (bool(until) and set(self.unit.steps) <= steps_until(self._graph, until))

    @property
    def is_aside(self) -> bool:
        """Of a unit that is not wanted: whether it does not come after the step that the run stops after, but beside it."""
        return bool(self.until) and self.until not in steps_until(self._graph, self.unit.name)

    @property
    def _graph(self) -> FlowGraph:
        return self._deployed.manifest.graph

    def end_run(self, status: RunStatus, reason: str = "", failed_tasks: tuple[str, ...] = ()) -> None:
        """Set the verdict on the run."""
        end = RunEnd(status=status, ended_at=time.time(), reason=reason, failed_tasks=failed_tasks)
        self.ledger.end_run(self.flow, self.run, end)

    def tolerated_failures(self) -> tuple[str, ...]:
        """Pathspecs of the tasks that failed and that a foreach does without."""
        graph = self.pinned.manifest.graph
        steps = [node.name for node in graph if any(is_tolerant(graph, split) for split in node.frames)]
        if not steps:
            return ()
        from airflow_mlflow_provider.store.ending import failed_tasks

        return tuple(record.key.pathspec for record in failed_tasks(self.ledger, self.flow, self.run, steps))

    def _workers(self) -> int:
        """Tasks of a shard that run at once: as many as the step has CPUs."""
        node = self._deployed.manifest.graph[self.unit.name]
        given = [
            spec.attributes.get("cpu")
            for name in ("resources", "kubernetes")
            if (spec := node.decorator(name))
        ]
        return max([1, *(int(float(cpu)) for cpu in given if cpu is not None)])
