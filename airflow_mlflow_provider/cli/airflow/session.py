"""What the commands of the ``airflow`` group share: one deployment of the flow."""

from __future__ import annotations

from functools import cached_property

from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.deploy.assemble import DeploymentOptions, project_of
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.runs import (
    RunStatus,
    find_dag_run,
    run_status,
)
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.identity import dag_id
from airflow_mlflow_provider.store.ledger import Ledger


class AirflowSession:
    """What the commands of the group share: one deployment of the flow."""

    def __init__(self, session: Session, options: DeploymentOptions) -> None:
        self.session = session
        self.options = options
        self.ledger: Ledger = session.ledger()
        self.deployments = Deployments(self.ledger.store)

    @cached_property
    def dag_id(self) -> str:
        """The id of the deployment's DAG; the user's name is asked for only where a branch of ``@project`` is theirs.

        Raises:
            CommandException: The options name no deployment of this flow.
        """
        session, options = self.session, self.options
        project = project_of(session.flow_class, session.flow_name, options, lambda: session.user)
        return dag_id(project.flow_name if project else options.name or session.flow_name)

    def deployed(self) -> DeploymentRecord:
        """The record of the deployment.

        Raises:
            CommandException: The flow is not deployed under this name.
        """
        record = self.deployments.find(self.dag_id)
        if record is None:
            known = ", ".join(self.deployments.names()) or "none"
            raise CommandException(
                f"{self.dag_id} is not deployed from the store {self.session.store_url} (deployments: {known}).",
                fix="Deploy it with `airflow create`, or name another store with --datastore-root.",
                where={"dag": self.dag_id},
            )
        return record

    def find_run(self, rest: AirflowRest, run: str) -> str:
        """The DAG run id of a run id."""
        return find_dag_run(rest, self.ledger, self.session.flow_name, self.dag_id, run)

    def status(self, rest: AirflowRest, dag_run_id: str) -> RunStatus:
        """How a run stands."""
        return run_status(rest, self.ledger, self.session.flow_name, self.dag_id, dag_run_id)
