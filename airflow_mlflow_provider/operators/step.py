"""The operator of a step: in the worker's own machine, or in a pod."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)
from airflow.sdk import BaseOperator, Context

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import CommandException, MetaflowException
from airflow_mlflow_provider.operators.asset_events import finish_extra
from airflow_mlflow_provider.operators.credentials import provide_credentials
from airflow_mlflow_provider.operators.labels import InstanceLabel
from airflow_mlflow_provider.operators.metrics import count_run, count_tasks
from airflow_mlflow_provider.operators.origin import FLOW_RUN_KEY, ORIGIN_KEY, origin_of, run_place
from airflow_mlflow_provider.operators.outcome_facts import partition, run_outcome
from airflow_mlflow_provider.operators.planning import instances
from airflow_mlflow_provider.operators.pointer import PATHSPEC_KEY, POINTER_KEY, pointer
from airflow_mlflow_provider.operators.sealing import STOPPED
from airflow_mlflow_provider.operators.secrets import secrets_in_environment
from airflow_mlflow_provider.operators.unit_try import UnitTry
from airflow_mlflow_provider.operators.verdict import verdict
from airflow_mlflow_provider.operators.version_check import check_version
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.elements import Element
from airflow_mlflow_provider.plan.scopes import is_tolerant
from airflow_mlflow_provider.runtime.request import TaskResult, UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.single_flight import Patience
from airflow_mlflow_provider.store.ledger import Ledger

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_mlflow_provider.operators.in_pods import UnitInPods
    from airflow_mlflow_provider.store.records import AttemptKey

_LOST = "a worker or pod was lost: its last attempt ended without a record"
_SHOWN_FAILURES = 5


class FlowStepOperator(BaseOperator):
    """Runs one unit of a flow, for the index paths that it was expanded with.

    The verdict is the record in the store, never the state of a process or pod.

    Args:
        deployment: The flow.
        unit: Name of the unit, that is, of its first step.
        split: The element of the foreach's list that the instance stands for; ``None`` outside every foreach.
        parameters: For the first unit of a flow in a DAG of somebody else's: values of the flow's parameters by name,
            JSON or texts in which templates are rendered. ``None``: the DAG run's.
    """

    # Airflow resolves what it maps over only in template fields; the values themselves are never rendered.
    template_fields: Sequence[str] = ("split", "parameters")
    template_fields_renderers = {"split": "json", "parameters": "json"}  # noqa: RUF012 - Airflow's own form
    ui_color = "#eef2ff"

    def __init__(
        self,
        *,
        deployment: Deployment,
        unit: str,
        split: Any = None,
        parameters: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deployment = deployment
        self.unit = unit
        self.split: Any = split
        self._label: InstanceLabel | None = None
        self.parameters = parameters
        if split is None and parameters is None:
            # For values that it has rendered, Airflow makes a request each time that a task starts.
            self.template_fields = [
                field for field in self.template_fields if field not in ("split", "parameters")
            ]
        self._interruptible = False
        self._pods: UnitInPods | None = None
        self._ended: UnitResult | None = None

    def execute(self, context: Context) -> list[Element] | None:
        """Run the unit.

        Returns:
            For a foreach split outside every foreach: the list that its body is expanded over.

        Raises:
            AirflowSkipException: A switch took another way for all index paths.
            AirflowException: A task failed.
            AirflowFailException: The run cannot go on, whatever is retried.
        """
        provide_credentials(self.deployment.manifest)
        work, began = self._work(context), time.monotonic()
        if self._is_told(work):
            self._tell_run(context, work)
        try:
            if not work.attempt.number and not work.is_wanted:
                self._stop(work)
                return None
            result = self._taken_over(work, context) or self._run(work, context)
        except CommandException as error:
            raise AirflowFailException(_text(error)) from error
        except MetaflowException as error:
            raise AirflowException(_text(error)) from error
        return self._conclude(context, work, result, time.monotonic() - began)

    def resume_pod(self, context: Context, event: Mapping[str, Any]) -> list[Element] | None:
        """Go on when the triggerer has seen the pod end.

        Raises:
            AirflowException: A task failed.
        """
        with airflow_errors():
            provide_credentials(self.deployment.manifest)
            work = self._work(context)
            # Not prepared anew: the pod has run, whatever has become of the run since, and must be cleaned up.
            request = work.request(work.chosen_paths())
            result = self._in_pods(work, context).resume(request, event)
            return self._conclude(context, work, result)

    @property
    def instance_label(self) -> InstanceLabel:
        """What the UI shows instead of a map index."""
        if self._label is None:
            self._label = InstanceLabel(self.split["label"] if self.split else "")
        return self._label

    def look_again(self, context: Context, event: Any, **patience: Any) -> list[Element] | None:
        """Go on after a pause: another task was computing the result that this one wants.

        Raises:
            AirflowException: A task failed.
        """
        with airflow_errors():
            provide_credentials(self.deployment.manifest)
            work = self._work(context)
            waiting = Patience(float(get("cache_wait_s")), **patience)
            waiting.waited(float(event))
            result = self._in_pods(work, context).run(self._prepared(work), waiting)
            return self._conclude(context, work, result)

    def on_kill(self) -> None:
        """End what runs: the pod, or the task processes on this machine."""
        if self._pods is not None:
            self._pods.kill()
        elif self._interruptible:
            # Airflow calls this from its signal handler; the exception unwinds the runner, which ends its processes.
            raise AirflowException("The task was ended from outside.")

    def _work(self, context: Context) -> UnitTry:
        paths = tuple(map(tuple, self.split["paths"])) if self.split else ((),)
        unit = self.deployment.plan.units[self.unit]
        first = self.split.get("first", 0) if self.split else 0
        return UnitTry(self.deployment, unit, paths, context, self.parameters, self._part(context), first)

    def _is_told(self, work: UnitTry) -> bool:
        """Whether the instance says which run of the flow is in this DAG run, as nothing is deployed that says so."""
        manifest = self.deployment.manifest
        return work.starts_run and bool(manifest.task_group or not manifest.code.digest)

    def _tell_run(self, context: Context, work: UnitTry) -> None:
        ti = context["ti"]
        place = run_place(f"{work.flow}/{work.run}", {"dag_id": ti.dag_id, "dag_run_id": ti.run_id})
        ti.xcom_push(FLOW_RUN_KEY, {**place, "part": self._part(context)})

    def _part(self, context: Context) -> str:
        """Which part of the DAG run the flow's run is, if it is not all of it."""
        return self.deployment.manifest.task_group

    def _prepared(self, work: UnitTry, fallback: str | None = None) -> UnitRequest:
        self._refuse_failed_run(work)
        paths = work.chosen_paths()
        if not paths:
            self._refuse_lost_paths(work)
            raise AirflowSkipException("A switch took another way.")
        request = work.request(paths, fallback)
        tasks = f"{len(paths)} index paths" if len(paths) > 1 else work.task
        self.log.info(
            "%s/%s/%s/%s, attempt %d, code %s",
            *(work.flow, work.run, self.unit, tasks, request.attempt),
            self.deployment.manifest.code.digest[:12] or "of the DAG bundle",
        )
        return request

    def _taken_over(self, work: UnitTry, context: Context) -> UnitResult | None:
        """What the records of the origin say, if the run resumes another one and took over all of the unit."""
        if work.attempt.number or not work.ledger.carried(work.flow, work.run).steps:
            return None
        paths = work.chosen_paths()
        request = UnitRequest(
            self.deployment.manifest.store, work.flow, work.run, work.unit.steps, paths=paths
        )
        found = verdict(work.ledger, work.pinned.manifest.graph, request)
        if not paths or not found.complete:
            return None
        origins = ", ".join(dict.fromkeys(task.key.pathspec for task in found.result.tasks[:_SHOWN_FAILURES]))
        self.log.info("Taken over from %s; nothing is run.", origins)
        context["ti"].xcom_push(ORIGIN_KEY, origin_of(work.ledger, found.result.tasks[0].key))
        return found.result

    def _stop(self, work: UnitTry) -> None:
        """Run nothing, as the run stops before it comes here.

        Beside the way to where it stops, the task succeeds, so that what joins the two still waits for the other.

        Raises:
            AirflowSkipException: What follows is not to be run either.
        """
        if work.is_aside and not work.unit.opens:
            self.log.info("The run stops after %s, so nothing is run here.", work.until)
            return
        end = work.ledger.run_end(work.flow, work.run)
        if end is None or end.status != "failed":
            work.end_run("terminated", f"{STOPPED} before {self.unit}, as asked")
        raise AirflowSkipException("The run stops before this step, as asked.")

    def _run(self, work: UnitTry, context: Context) -> UnitResult:
        in_pod = self.deployment.manifest.step_compute(self.unit) == "kubernetes"
        if not in_pod or work.attempt.is_fallback:
            return self._in_worker(work)
        return self._in_pods(work, context).run(self._prepared(work))

    def _in_worker(self, work: UnitTry, fallback: str | None = None) -> UnitResult:
        from airflow_mlflow_provider.runtime.unit import run_unit

        cause = fallback or (_LOST if work.attempt.is_fallback else None)
        if cause is None:
            check_version(self.deployment.manifest)
        several = len(work.paths) > 1 or work.unit.kind != "single"

        def emit(key: AttemptKey, stream: str, line: bytes) -> None:
            text = line.decode("utf-8", "backslashreplace")
            self.log.info("%s", f"[{key.step}/{key.task}] {text}" if several else text)

        def started(key: AttemptKey, iteration: int | None) -> None:
            if iteration is not None and len(work.paths) == 1:
                self.instance_label.reached(iteration)

        # The fallback runs no code of the user's.
        step = self.deployment.manifest.graph[self.unit]
        secrets = nullcontext() if cause else secrets_in_environment(step)
        self._interruptible = True
        try:
            with secrets:
                return run_unit(lambda: self._prepared(work, cause), emit=emit, started=started)
        finally:
            self._interruptible = False

    def _in_pods(self, work: UnitTry, context: Context) -> UnitInPods:
        from airflow_mlflow_provider.operators.in_pods import UnitInPods

        self._pods = UnitInPods(self, work, context, lambda cause: self._in_worker(work, cause))
        return self._pods

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """What Airflow's OpenLineage provider asks for when the task has ended, also when it failed.

        Args:
            task_instance: The task instance.
        """
        if self._ended is None:
            return None
        from airflow_mlflow_provider.operators.lineage import openlineage_of, step_lineage
        from airflow_mlflow_provider.store.location import open_store

        manifest, keys = self.deployment.manifest, [task.key for task in self._ended.tasks]
        facts = {
            "pathspec": ", ".join(key.pathspec for key in keys[:_SHOWN_FAILURES]),
            "attempt": keys[0].attempt,
            "code": manifest.code.digest,
            "tags": ", ".join(manifest.tags),
        }
        lineage = step_lineage(Ledger(open_store(manifest.store)), keys)
        return openlineage_of(lineage, manifest.store, facts)

    def _conclude(
        self, context: Context, work: UnitTry, result: UnitResult, seconds: float | None = None
    ) -> list[Element] | None:
        self._ended = result
        count_tasks(work.flow, self.unit, result, seconds)
        iterations = [task.iteration for task in result.tasks if task.iteration is not None]
        if iterations and len(work.paths) == 1:
            self.instance_label.ended_with(max(iterations))
        graph = self.deployment.manifest.graph
        # Of a shard, what those have opened that finished goes on, also when another one has failed.
        found = pointer(graph, self.split, result.without_failed)
        if found.attempts:
            context["ti"].xcom_push(POINTER_KEY, found.to_json())
        if result.failed:
            self._fail(work, result)
        self._refuse_lost_paths(work)
        if work.ends_run:
            work.end_run("succeeded", failed_tasks=work.tolerated_failures())
            count_run(work.flow, "succeeded")
            self._tell_success(context, work, result)
            if self.deployment.manifest.task_group:
                context["ti"].xcom_push(PATHSPEC_KEY, f"{work.flow}/{work.run}")
        if skipped := self._ruled_out(result):
            map_index = work.airflow["map_index"]
            name_of = self.deployment.manifest.airflow_task
            raise DownstreamTasksSkipped(tasks=[(name_of(name), map_index) for name in skipped])  # type: ignore[no-untyped-call]
        if work.unit.opens and not work.unit.frames:
            return instances(self.deployment, work.unit.opens, found.splits, context, self._part(context))
        return None

    def _refuse_lost_paths(self, work: UnitTry) -> None:
        """Of a shard some of whose splits failed before, the others have been done; the instance has failed all the same."""
        if work.lost_paths == work.paths:
            raise AirflowFailException("Nothing was run, as what comes before this failed.")
        if work.lost_paths:
            raise AirflowFailException(
                f"{len(work.lost_paths)} of {len(work.paths)} splits were not run, as what comes before them failed."
            )

    def _tell_success(self, context: Context, work: UnitTry, result: UnitResult) -> None:
        if not self.outlets:
            return
        manifest = work.pinned.manifest
        extra = {
            **finish_extra(manifest, work.run, work.task),
            **run_outcome(work.ledger, manifest, work.run, result.tasks[-1].key),
            **partition(context),
        }
        for asset in self.outlets:
            context["outlet_events"][asset].extra = extra

    def _fail(self, work: UnitTry, result: UnitResult) -> None:
        failures = [_failure(task) for task in result.failed]
        more = f" and {len(failures) - _SHOWN_FAILURES} more" if len(failures) > _SHOWN_FAILURES else ""
        text = f"{'; '.join(failures[:_SHOWN_FAILURES])}{more}"
        graph = self.deployment.manifest.graph
        tolerated = any(is_tolerant(graph, split) for split in graph[self.unit].frames)
        last = work.is_last(task.key for task in result.failed)
        # Of a run that stops early, Airflow may not see that it has failed: what would tell it is skipped.
        ends_run = self.deployment.manifest.limits.fail_fast or work.until is not None
        if last and ends_run and not tolerated:
            work.end_run("failed", text, tuple(task.key.pathspec for task in result.failed))
        if last and work.unit.kind == "loop":
            raise AirflowFailException(text)  # the retries that Airflow still has are for other iterations
        raise AirflowException(text)

    def _refuse_failed_run(self, work: UnitTry) -> None:
        if not self.deployment.manifest.limits.fail_fast or work.starts_run:
            return
        end = work.ledger.run_end(work.flow, work.run)
        if end is not None and end.status == "failed":
            raise AirflowFailException(
                f"The run has failed and the flow is deployed to fail fast: {end.reason}"
            )

    def _ruled_out(self, result: UnitResult) -> list[str]:
        """Units that no index path of this instance reaches any more."""
        unit = self.deployment.plan.units[self.unit]
        chosen = {
            target
            for task in result.tasks
            if task.key.step == unit.steps[-1]
            for target in task.targets
            if target != task.key.step
        }
        lost = [set(unit.rules_out.get(target, ())) for target in chosen]
        return sorted(set.intersection(*lost)) if lost else []


def _failure(task: TaskResult) -> str:
    place = f"{task.key.step}/{task.key.task}"
    if task.exception is None:
        return f"{place} failed"
    return f"{place}: {task.exception.type}: {task.exception.message}".rstrip()


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Tell Airflow what a retry may cure and what it cannot."""
    try:
        yield
    except CommandException as error:
        raise AirflowFailException(_text(error)) from error
    except MetaflowException as error:
        raise AirflowException(_text(error)) from error


def _text(error: MetaflowException) -> str:
    return f"{error.headline}: {error.message} {error.fix}".rstrip()
