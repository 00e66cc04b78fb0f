"""Triggering a deployed flow from another DAG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments
from airflow_mlflow_provider.deploy.runs import check_conf, new_dag_run_id
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.operators.origin import FLOW_RUN_KEY, run_place
from airflow_mlflow_provider.plan.identity import airflow_run_id, dag_id

if TYPE_CHECKING:
    from airflow.sdk import Context

_POLL_SECONDS = 10
PATHSPEC_KEY = "pathspec"


class TriggerFlowOperator(TriggerDagRunOperator):
    """Starts a run of a deployed flow and waits for its end.

    The XCom ``pathspec`` is the run's, ``Flow/run``; it is there as soon as the run is asked for. Names of parameters are
    checked before that, where the store knows the deployment.

    :param flow: The flow as it is deployed: ``TrainFlow``, or ``project.branch.TrainFlow``. (templated)
    :param parameters: Values by parameter name, JSON. (templated)
    :param wait_for_completion: Whether to wait; a run that fails then fails the task. (templated)
    :param poke_interval: Seconds between two looks at the run.
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = (
        *TriggerDagRunOperator.template_fields,
        "flow",
        "parameters",
        "artifact_store_conn_id",
    )
    template_fields_renderers = {"parameters": "json", "conf": "json"}  # noqa: RUF012 - Airflow's own form
    ui_color = "#eef2ff"

    def __init__(
        self,
        *,
        flow: str,
        parameters: Mapping[str, Any] | None = None,
        wait_for_completion: bool = True,
        poke_interval: int = _POLL_SECONDS,
        artifact_store_conn_id: str | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        # Without a logical date, runs that are started at the same time do not collide. Lineage facts in the
        # configuration would be refused by the flow, as parameters it does not have.
        settings = {"logical_date": None, "openlineage_inject_parent_info": False, **kwargs}
        super().__init__(
            trigger_dag_id=flow,
            wait_for_completion=wait_for_completion,
            poke_interval=poke_interval,
            deferrable=conf.getboolean("operators", "default_deferrable", fallback=False)
            if deferrable is None
            else deferrable,
            **settings,
        )
        self.flow = flow
        self.parameters = parameters
        self.artifact_store_conn_id = artifact_store_conn_id

    def execute(self, context: Context) -> None:
        """Start the run; Airflow waits for it.

        :param context: The task's context.
        :raises CommandException: The flow has no such parameter.
        """
        self.trigger_dag_id = dag_id(self.flow)
        self.trigger_run_id = self.trigger_run_id or new_dag_run_id()
        name, self.conf = self._prepared(self.trigger_run_id, dict(self.parameters or {}))
        run = airflow_run_id(self.trigger_dag_id, self.trigger_run_id)
        self.log.info("Starting %s/%s", name, run)
        self._tell_run(context, f"{name}/{run}", self.trigger_run_id)
        super().execute(context)

    def _tell_run(self, context: Context, pathspec: str, dag_run_id: str) -> None:
        """Leave in XCom which run it is."""
        airflow = {"dag_id": self.trigger_dag_id, "dag_run_id": dag_run_id}
        context["ti"].xcom_push(PATHSPEC_KEY, pathspec)
        context["ti"].xcom_push(FLOW_RUN_KEY, run_place(pathspec, airflow))

    def _prepared(self, dag_run_id: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Name of the flow's class and the configuration to trigger with, once the parameters have been seen to be its own."""
        record = self._deployment()
        if record is None:
            return self.flow.rpartition(".")[2], dict(values)
        check_conf(record.flow_manifest(), values)
        return record.flow, dict(values)

    def _deployment(self) -> DeploymentRecord | None:
        """What is deployed as the DAG, if the store is known here and knows it."""
        if self.artifact_store_conn_id is None and not get("datastore_root"):
            return None
        return Deployments(ArtifactStoreHook(self.artifact_store_conn_id).store).find(self.trigger_dag_id)
