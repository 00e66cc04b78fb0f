"""Resuming a run of a deployed flow from another DAG."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException
from airflow.providers.standard.triggers.external_task import DagStateTrigger

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.resuming import (
    ResumeOptions,
    plan_deployed_resume,
    resume_by_plugin,
    resumed_manifest,
    store_resumed,
)
from airflow_mlflow_provider.deploy.runs import new_dag_run_id
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.operators.origin import ORIGIN_KEY, run_place
from airflow_mlflow_provider.operators.trigger_flow import TriggerFlowOperator
from airflow_mlflow_provider.plan.identity import airflow_run_id, dag_id
from airflow_mlflow_provider.runtime.resume import ResumeSummary
from airflow_mlflow_provider.store.ledger import Ledger

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResumeFlowOperator(TriggerFlowOperator):
    """Starts a run of a deployed flow that takes over what another run has finished, and waits for its end.

    For DAGs that watch others: after a run that failed, with ``trigger_rule="one_failed"``, or from any step on, whenever the DAG
    decides so. Where workers know Airflow's API (``api_url`` and credentials in ``[mlflow_provider]``) the API server is asked, and
    no worker is needed for what is taken over; else its tasks start and end at once.

    :param flow: The flow as it is deployed: ``TrainFlow``, or ``project.branch.TrainFlow``. (templated)
    :param origin: The run to resume, ``Flow/run`` or its id: a run of Airflow or a local one, in the same store. (templated)
    :param step: A step to run again with all that follows it; by default what has not finished. (templated)
    :param parameters: Values that differ from the origin's; what has read one of them runs again. (templated)
    :param rerun_changed: Whether steps whose code has changed since the origin run again.
    :param until: A step to stop after; the run is then *terminated* in the client, *success* in Airflow, and can be resumed for the
        rest. By default the flow's end. (templated)
    :param code: ``current`` runs the code that is deployed now, ``origin`` that of the origin.
    :param wait_for_completion: Whether to wait; a run that fails then fails the task. (templated)
    :param poke_interval: Seconds between two looks at the run.
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = (*TriggerFlowOperator.template_fields, "origin", "step", "until")

    def __init__(
        self,
        *,
        origin: str,
        step: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        rerun_changed: bool = False,
        until: str | None = None,
        code: str = "current",
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters=parameters, **kwargs)
        self.origin = origin
        self.step = step
        self.rerun_changed = rerun_changed
        self.until = until
        self.code = code

    def execute(self, context: Context) -> None:
        """Start the run, and wait for it.

        :param context: The task's context.
        :raises CommandException: There is no such run, step or parameter.
        :raises AirflowException: The run has failed.
        """
        self.trigger_dag_id = dag_id(self.flow)
        self.trigger_run_id = self.trigger_run_id or new_dag_run_id()
        self._tell_origin(context)
        if not self._resumed_by_plugin(context, self.trigger_run_id):
            super().execute(context)
        elif self.wait_for_completion:
            self._wait(context, self.trigger_run_id)

    def _tell_origin(self, context: Context) -> None:
        """Leave in XCom where the origin is, if the store is known here and knows it."""
        record = self._deployment()
        if record is None:
            return
        ledger, origin = (
            Ledger(ArtifactStoreHook(self.artifact_store_conn_id).store),
            self._options({}).origin,
        )
        with suppress(MetaflowNotFound):
            found = run_place(f"{record.flow}/{origin}", ledger.run(record.flow, origin).airflow)
            context["ti"].xcom_push(ORIGIN_KEY, found)

    def _resumed_by_plugin(self, context: Context, dag_run_id: str) -> bool:
        if not get("api_url"):
            return False
        options = self._options(dict(self.parameters or {}))
        summary = resume_by_plugin(AirflowRest.configured(), self.trigger_dag_id, options, dag_run_id)
        if summary is None:
            return False
        record = self._deployment()
        flow = self.flow.rpartition(".")[2] if record is None else record.flow
        self._tell(summary)
        run = airflow_run_id(self.trigger_dag_id, dag_run_id)
        self._tell_run(context, f"{flow}/{run}", dag_run_id)
        return True

    def _wait(self, context: Context, dag_run_id: str) -> None:
        """Wait as the operator does for a run that Airflow has started for it."""
        if self.deferrable:
            self.defer(
                trigger=DagStateTrigger(
                    dag_id=self.trigger_dag_id,
                    states=[*self.allowed_states, *self.failed_states],
                    run_ids=[dag_run_id],
                    poll_interval=self.poke_interval,
                ),
                method_name="execute_complete",
            )
        while True:
            state = context["ti"].get_dagrun_state(self.trigger_dag_id, dag_run_id)
            if state in self.failed_states:
                raise AirflowException(f"The run {dag_run_id} of {self.trigger_dag_id} is {state}.")
            if state in self.allowed_states:
                return
            time.sleep(self.poke_interval)

    def _prepared(self, dag_run_id: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Store what is taken over, before the run is asked for, so that its first task finds it."""
        store = ArtifactStoreHook(self.artifact_store_conn_id).store
        record = Deployments(store).find(self.trigger_dag_id)
        if record is None:
            raise CommandException(
                f"No flow is deployed as the DAG {self.trigger_dag_id} from {store.url}.",
                fix="Deploy it with `airflow create` to this store, or name its connection.",
                where={"dag": self.trigger_dag_id, "store": store.url},
            )
        ledger, options = Ledger(store), self._options(values)
        manifest = resumed_manifest(ledger, record.flow_manifest(), options)
        plan = plan_deployed_resume(ledger, manifest, options)
        self._tell(plan.summary)
        return record.flow, store_resumed(ledger, manifest, plan, dag_run_id).parameters

    def _options(self, values: Mapping[str, Any]) -> ResumeOptions:
        return ResumeOptions(
            origin=self.origin.rpartition("/")[2],
            step=self.step or None,
            parameters=dict(values),
            rerun_changed=self.rerun_changed,
            code="origin" if self.code == "origin" else "current",
            until=self.until or None,
        )

    def _tell(self, summary: ResumeSummary) -> None:
        for step, count in summary.taken_over.items():
            self.log.info("Taken over from %s: %s (%d)", summary.origin, step, count)
        for task, reason in summary.runs.items():
            self.log.info("Runs: %s, which %s", task, reason)
