"""Resuming a run of a deployed flow from another DAG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.deploy.resuming import ResumeOptions, plan_deployed_resume, store_resumed
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.operators.trigger_flow import TriggerFlowOperator
from airflow_mlflow_provider.store.ledger import Ledger


class ResumeFlowOperator(TriggerFlowOperator):
    """Starts a run of a deployed flow that takes over what another run has finished, and waits for its end.

    For DAGs that watch others: after a run that failed, with ``trigger_rule="one_failed"``, or from any step on, whenever the DAG
    decides so. Tasks taken over end at once; the rest runs with the code that is deployed now.

    :param flow: The flow as it is deployed: ``TrainFlow``, or ``project.branch.TrainFlow``. (templated)
    :param origin: The run to resume, ``Flow/run`` or its id: a run of Airflow or a local one, in the same store. (templated)
    :param step: A step to run again with all that follows it; by default what has not finished. (templated)
    :param parameters: Values that differ from the origin's; what has read one of them runs again. (templated)
    :param wait_for_completion: Whether to wait; a run that fails then fails the task. (templated)
    :param poke_interval: Seconds between two looks at the run.
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = (*TriggerFlowOperator.template_fields, "origin", "step")

    def __init__(
        self,
        *,
        origin: str,
        step: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters=parameters, **kwargs)
        self.origin = origin
        self.step = step

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
        ledger, manifest = Ledger(store), record.flow_manifest()
        options = ResumeOptions(self.origin.rpartition("/")[2], self.step or None, dict(values))
        plan = plan_deployed_resume(ledger, manifest, options)
        for step, count in plan.summary.taken_over.items():
            self.log.info("Taken over from %s: %s (%d)", plan.origin, step, count)
        for task, reason in plan.reasons.items():
            self.log.info("Runs: %s, which %s", task, reason)
        return record.flow, store_resumed(ledger, manifest, plan, values, dag_run_id).parameters
