"""The operator of an exit hook: a teardown task after all steps, which cannot fail the DAG run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowSkipException
from airflow.sdk import BaseOperator, Context

from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.operators.credentials import provide_credentials
from airflow_mlflow_provider.operators.new_run import with_code
from airflow_mlflow_provider.operators.sealing import seal_failed
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import ExitHook, FlowManifest, decode
from airflow_mlflow_provider.store.ending import failed_tasks
from airflow_mlflow_provider.store.ledger import Ledger

# Seconds that a worker may take around the hook: its own start, fetching the code.
_AROUND = 120


class FlowExitHookOperator(BaseOperator):
    """Calls one exit hook of a flow, in a process of its own on the worker, if the run has ended as the hook wants.

    Args:
        deployment: The flow.
        hook: The hook.
        timeout: Seconds that it may take.
    """

    ui_color = "#f5f5f4"

    def __init__(self, *, deployment: Deployment, hook: ExitHook, timeout: float, **kwargs: Any) -> None:
        super().__init__(
            retries=0, execution_timeout=timedelta(seconds=timeout + _AROUND), doc_md=hook.name, **kwargs
        )
        self.deployment = deployment
        self.hook = hook
        self.hook_timeout = timeout
        self.as_teardown(on_failure_fail_dagrun=False)

    def execute(self, context: Context) -> None:
        """Call the hook.

        Raises:
            AirflowSkipException: The run has not ended as the hook wants.
            AirflowException: The hook failed.
        """
        from airflow_mlflow_provider.store.location import open_store

        succeeded = self._succeeded(context)
        if succeeded != (self.hook.on == "success"):
            raise AirflowSkipException(f"The run has {'succeeded' if succeeded else 'failed'}.")
        deployed = self.deployment.manifest
        provide_credentials(deployed)
        ledger = Ledger(open_store(deployed.store))
        run = airflow_run_id(context["ti"].dag_id, context["ti"].run_id, deployed.task_group)
        if not succeeded and self._has_stopped(ledger, run):
            raise AirflowSkipException("The run has stopped where it was to.")
        if not succeeded:
            seal_failed(ledger, deployed.flow_name, run, "a task failed")
        if failure := self._call(ledger, run):
            raise AirflowException(f"The exit hook {self.hook.name} failed: {failure}.")

    def on_kill(self) -> None:
        """End the hook: Airflow calls this from its signal handler, and the exception unwinds to where it waits."""
        raise AirflowException("The task was ended from outside.")

    def _succeeded(self, context: Context) -> bool:
        instance: Any = context["ti"]
        manifest = self.deployment.manifest
        end = manifest.airflow_task(self.deployment.plan.unit_of(manifest.graph.end).name)
        states = instance.get_task_states(instance.dag_id, task_ids=[end], run_ids=[instance.run_id])
        return str(states.get(instance.run_id, {}).get(end)) == "success"

    def _has_stopped(self, ledger: Ledger, run: str) -> bool:
        """Whether the end step was not to run, and nothing has failed."""
        flow = self.deployment.manifest.flow_name
        stops = ledger.carried(flow, run).until is not None
        return stops and not failed_tasks(ledger, flow, run, ledger.steps(flow, run))

    def _call(self, ledger: Ledger, run: str) -> str:
        from airflow_mlflow_provider.runtime.exit_hooks import HookRequest, run_hook
        from airflow_mlflow_provider.runtime.unit import code_file, in_bundle

        manifest, known = self._pinned(ledger, run)
        manifest = in_bundle(manifest, self.deployment.manifest.code.path)
        file = str(code_file(ledger, manifest))
        request = HookRequest(manifest, file, self.hook, run if known else None)

        def emit(line: bytes) -> None:
            self.log.info("%s", line.decode("utf-8", "backslashreplace"))

        return run_hook(request, self.hook_timeout, emit)

    def _pinned(self, ledger: Ledger, run: str) -> tuple[FlowManifest, bool]:
        """The flow as it was when the run started, and whether the run came as far as to have a record."""
        flow = self.deployment.manifest.flow_name
        try:
            digest = ledger.run(flow, run).manifest
        except MetaflowNotFound:
            return with_code(self.deployment, ledger).manifest, False
        return decode(ledger.blob(digest), f"the manifest of run {run}"), True
