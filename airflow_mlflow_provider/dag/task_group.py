"""A whole flow as a task group of a DAG that somebody writes by hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import TaskGroup, XComArg
from airflow.sdk.definitions.taskgroup import MappedTaskGroup

from airflow_mlflow_provider.dag.build import TaskBuilder
from airflow_mlflow_provider.dag.described import described
from airflow_mlflow_provider.dag.sealing import seal_with
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.operators.new_run import check_conf
from airflow_mlflow_provider.operators.pointer import PATHSPEC_KEY
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import Compute, FlowManifest, Limits

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.spec import FlowSpec


class FlowTaskGroup(TaskGroup):
    """A flow as part of another DAG: its steps are tasks of the group, and each DAG run is one run of the flow.

    What the flow says of when it runs (``@schedule``, ``@trigger``, ``@trigger_on_finish``) has no effect: the DAG decides.
    The run is an ordinary one, in the client and for ``resume`` on a laptop. It is sealed with its end step, or as failed
    when the DAG run ends without that.

    Args:
        group_id: Id of the group, before which Airflow puts that of a group around it.
        flow: A flow's class, or the path of a manifest that ``airflow create`` wrote.
        parameters: Values by parameter name: JSON, texts with templates, or outputs of other tasks, which then run before the
            group. A text stands for JSON where the parameter takes no text.
        store: URL of the artifact store; by default ``datastore_root``.
        compute: Where steps run that do not say so themselves; by default ``default_compute``.
        tags: User tags of every run.
        limits: Caps of the flow; ``max_workers`` holds for each foreach, as the DAG has limits of its own.
        worker_pool: Airflow pool of every step that names none.
        fuse: Whether chains of steps that need the same machine and attempts run as one Airflow task.
        **kwargs: Arguments of Airflow's ``TaskGroup``: ``tooltip``, ``default_args``, ``dag``, ``parent_group`` and others.

    Raises:
        LintWarn: The flow has errors; Airflow shows all of them as the file's import error.
        CommandException: The flow has no such parameter, a required one has no value, no store is configured, or the group is in
            a mapped task group, where Airflow cannot expand the flow's own.
    """

    def __init__(
        self,
        group_id: str,
        flow: type[FlowSpec] | str | PathLike[str],
        *,
        parameters: Mapping[str, Any] | None = None,
        store: str | None = None,
        compute: Compute | None = None,
        tags: tuple[str, ...] = (),
        limits: Limits | None = None,
        worker_pool: str | None = None,
        fuse: bool = False,
        **kwargs: Any,
    ) -> None:
        caller = sys._getframe(1).f_globals.get("__file__", "")
        manifest = described(
            flow,
            caller,
            store,
            compute=compute,
            tags=tuple(tags),
            limits=limits or Limits(),
            worker_pool=worker_pool,
            fuse=fuse,
        )
        given = dict(parameters or {})
        _check_parameters(manifest, given)
        doc = manifest.graph.doc.strip()
        super().__init__(group_id=group_id, **{"tooltip": doc.partition("\n")[0], **kwargs})
        _refuse_mapped(self, manifest)
        manifest = msgspec.structs.replace(
            manifest, dag_id=self.dag.dag_id, task_group=self.group_id or "", schedule=None, triggers=()
        )
        deployment = Deployment(manifest)
        with self:
            self._tasks = TaskBuilder(deployment, given).build()
        self._end = deployment.plan.unit_of(manifest.graph.end).name
        seal_with(self.dag, manifest)

    @property
    def pathspec(self) -> XComArg:
        """``Flow/run`` of the run, once it has succeeded: give it to a task that reads the results."""
        return XComArg(self._tasks[self._end], key=PATHSPEC_KEY)

    def step(self, name: str) -> Any:
        """The task that runs a step, to put other tasks before or after it.

        Raises:
            KeyError: The flow has no such step, or it is fused with the one before it.
        """
        return self._tasks[name]


def _check_parameters(manifest: FlowManifest, given: Mapping[str, Any]) -> None:
    check_conf(manifest, given)
    missing = [spec.name for spec in manifest.parameters if spec.required and given.get(spec.name) is None]
    if missing:
        raise CommandException(
            f"{manifest.flow_name} needs a value for {', '.join(missing)}, and its task group has none.",
            fix="Give it with parameters={…}; a task's output will do.",
            where={"flow": manifest.flow_name, "parameter": missing[0]},
        )


def _refuse_mapped(group: TaskGroup, manifest: FlowManifest) -> None:
    around = group.parent_group
    while around is not None:
        if isinstance(around, MappedTaskGroup):
            raise CommandException(
                f"The task group of {manifest.flow_name} is in {around.group_id}, which is mapped; Airflow cannot map a group inside "
                "a mapped one.",
                fix="Deploy the flow, and map TriggerFlowOperator over its parameters.",
                where={"flow": manifest.flow_name, "task group": str(group.group_id)},
            )
        around = around.parent_group
