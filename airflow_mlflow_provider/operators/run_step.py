"""One step of a flow as a task of a DAG that is written by hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowException, DownstreamTasksSkipped
from airflow.sdk import Context

from airflow_mlflow_provider.dag.arguments import step_arguments
from airflow_mlflow_provider.dag.described import described
from airflow_mlflow_provider.dag.sealing import seal_with
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.hooks.artifact_lookup import resolve_run
from airflow_mlflow_provider.operators.credentials import provide_credentials
from airflow_mlflow_provider.operators.new_run import check_conf, new_run
from airflow_mlflow_provider.operators.origin import ORIGIN_KEY, run_place
from airflow_mlflow_provider.operators.pointer import PATHSPEC_KEY
from airflow_mlflow_provider.operators.step import FlowStepOperator, airflow_errors
from airflow_mlflow_provider.operators.unit_try import UnitTry
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import Compute, FlowManifest
from airflow_mlflow_provider.plan.units import Unit
from airflow_mlflow_provider.runtime.request import UnitResult
from airflow_mlflow_provider.runtime.resume import ResumeRequest, plan_resume_of
from airflow_mlflow_provider.store.records import AttemptKey

if TYPE_CHECKING:
    from airflow.sdk import XComArg

    from airflow_mlflow_provider.flow.spec import FlowSpec


class RunStepOperator(FlowStepOperator):
    """Runs one step of a flow: with its decorators, in its pod or on the worker, its artifacts versioned in the store.

    Without ``inputs_from``, all such tasks of a DAG run make up one run of the flow, and the DAG says what is between them: begin
    with the start step, end with the end step. With ``inputs_from``, the step runs in a run of its own, on what that run's
    steps before it have left, and retries and clears keep these inputs.

    A step inside a foreach cannot be run so, as the DAG does not know the foreach; use ``FlowTaskGroup``.

    The XCom is the pathspec of the step's task, ``Flow/run/step/task``; the key ``pathspec`` has that of the run, ``Flow/run``.

    :param flow: A flow's class, or the path of a manifest that ``airflow create`` wrote, relative to the DAG file.
    :param step: The step; by default the one that is called as the task is.
    :param inputs_from: ``Flow/run``, or the pathspec of anything in it; the run may be ``latest`` or ``latest-successful``. (templated)
    :param parameters: For the start step: values by parameter name, JSON, texts with templates, or outputs of tasks. (templated)
    :param store: URL of the artifact store; by default ``[mlflow_provider] datastore_root``.
    :param compute: Where the step runs if it does not say so itself; by default ``default_compute``.
    """

    template_fields: Sequence[str] = (*FlowStepOperator.template_fields, "inputs_from")

    def __init__(
        self,
        *,
        flow: type[FlowSpec] | str | PathLike[str],
        step: str | None = None,
        inputs_from: str | XComArg | None = None,
        parameters: Mapping[str, Any] | None = None,
        store: str | None = None,
        compute: Compute | None = None,
        **kwargs: Any,
    ) -> None:
        manifest = described(flow, _dag_file(), store, compute=compute)
        manifest = msgspec.structs.replace(manifest, schedule=None, triggers=(), exit_hooks=())
        deployment = Deployment(manifest)
        unit = _unit_of(deployment, step or kwargs["task_id"])
        if parameters is not None or unit.name == manifest.graph.start:
            _check_parameters(manifest, unit, parameters or {})
            parameters = dict(parameters or {})
        super().__init__(
            deployment=deployment,
            unit=unit.name,
            parameters=parameters,
            **{**step_arguments(deployment, unit), **kwargs},
        )
        self.inputs_from = inputs_from
        if inputs_from is None and unit.name == manifest.graph.start and self._dag is not None:
            seal_with(self.dag, msgspec.structs.replace(manifest, dag_id=self.dag.dag_id))

    def execute(self, context: Context) -> Any:
        """Run the step.

        :param context: The task's context.
        :return: Pathspec of its task.
        :raises AirflowSkipException: A switch took another way.
        :raises AirflowException: The step failed.
        :raises AirflowFailException: The run that the inputs are from does not exist, or lacks them.
        """
        if self.inputs_from:
            with airflow_errors():
                provide_credentials(self.deployment.manifest)
                self._take_over(self._work(context), context)
        return super().execute(context)

    def _is_told(self, work: UnitTry) -> bool:
        return work.starts_run or bool(self.inputs_from)

    def _part(self, context: Context) -> str:
        if not self.inputs_from:
            return ""
        ti = context["ti"]
        return ti.task_id if ti.map_index in (-1, None) else f"{ti.task_id}-{ti.map_index}"

    def _take_over(self, work: UnitTry, context: Context) -> None:
        """Make the run that the step runs in, and that has taken over what comes before it."""
        ledger, flow = work.ledger, work.flow
        try:
            ledger.run(flow, work.run)
        except MetaflowNotFound:
            pass
        else:
            return
        origin = self._origin(work)
        given = dict(self.parameters or {})
        request = ResumeRequest(origin, step=self.unit, parameters=given, until=self.unit)
        plan = plan_resume_of(ledger, self.deployment.manifest, request)
        lacking = [name for name in plan.reasons if name.partition("/")[0] != self.unit]
        if lacking:
            raise CommandException(
                f"{flow}/{origin} lacks inputs of {self.unit}: {', '.join(lacking[:5])} {plan.reasons[lacking[0]]}.",
                fix="Name a run that has come as far as this step.",
                where={"flow": flow, "run": origin, "step": self.unit},
            )
        record = new_run(self.deployment, ledger, work.run, context, plan.parameters)
        airflow = {**record.airflow, "task_id": context["ti"].task_id}
        context["ti"].xcom_push(ORIGIN_KEY, run_place(f"{flow}/{origin}", ledger.run(flow, origin).airflow))
        ledger.carry(flow, work.run, plan.carried)
        ledger.create_run(msgspec.structs.replace(record, origin=origin, airflow=airflow))

    def _origin(self, work: UnitTry) -> str:
        flow, _, rest = str(self.inputs_from).partition("/")
        run = resolve_run(work.ledger, work.flow, rest.partition("/")[0] or "latest")
        if flow != work.flow or run is None:
            raise CommandException(
                f"{self.inputs_from} is no run of {work.flow}.",
                fix=f"Write {work.flow}/RUN; RUN may be latest or latest-successful.",
                where={"flow": work.flow, "step": self.unit},
            )
        return run

    def _conclude(
        self, context: Context, work: UnitTry, result: UnitResult, seconds: float | None = None
    ) -> Any:
        try:
            super()._conclude(context, work, result, seconds)
        except DownstreamTasksSkipped:
            # The tasks of the other branch may be called anything; each sees for itself that it was not chosen.
            pass
        except AirflowException as error:
            if self.inputs_from and work.is_last(task.key for task in result.failed):
                failed = tuple(task.key.pathspec for task in result.failed)
                work.end_run("failed", str(error), failed)
            raise
        if self.inputs_from:
            work.end_run("succeeded")
        context["ti"].xcom_push(PATHSPEC_KEY, f"{work.flow}/{work.run}")
        key: AttemptKey = result.tasks[-1].key
        return f"{work.flow}/{work.run}/{key.step}/{key.task}"


def _unit_of(deployment: Deployment, step: str) -> Unit:
    graph = deployment.manifest.graph
    if step not in graph:
        raise CommandException(
            f"{graph.name} has no step '{step}'.",
            fix=f"Give step=…, one of {', '.join(graph.steps)}.",
            where={"flow": graph.name, "step": step},
        )
    unit = deployment.plan.unit_of(step)
    if unit.frames:
        raise CommandException(
            f"The step {step} of {graph.name} is inside the foreach of {unit.frames[-1]}, which the DAG does not know.",
            fix="Use FlowTaskGroup for the flow, or TriggerFlowOperator.",
            where={"flow": graph.name, "step": step},
        )
    return unit


def _check_parameters(manifest: FlowManifest, unit: Unit, parameters: Mapping[str, Any]) -> None:
    if unit.name != manifest.graph.start:
        raise CommandException(
            f"Parameters of {manifest.flow_name} are fixed when its run starts; the step {unit.name} takes none.",
            fix=f"Give them to the task of {manifest.graph.start}.",
            where={"flow": manifest.flow_name, "step": unit.name},
        )
    check_conf(manifest, parameters)


def _dag_file() -> str:
    """The file that makes the operator; Airflow wraps constructors, so the caller is some frames away."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (
        "airflow",
        "airflow_mlflow_provider",
    ):
        frame = frame.f_back
    return str(frame.f_globals.get("__file__", ""))
