"""Runs that Airflow starts of deployed flows, for programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.client.scope import ledger_of
from airflow_mlflow_provider.deploy.ending import terminate_run
from airflow_mlflow_provider.deploy.record import check_token
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.user import user_name
from airflow_mlflow_provider.plan.identity import airflow_run_id

if TYPE_CHECKING:
    from airflow_mlflow_provider.programs.deployed import AirflowDeployedFlow

TriggeredStatus = Literal["Pending", "Running", "Succeeded", "Failed"]

STATES: dict[str, TriggeredStatus] = {
    "queued": "Pending",
    "scheduled": "Pending",
    "running": "Running",
    "success": "Succeeded",
    "failed": "Failed",
}


class TriggeredRun:
    """A run of a deployed flow.

    Args:
        deployed_flow: The deployment.
        dag_run_id: Its DAG run.
    """

    def __init__(self, deployed_flow: AirflowDeployedFlow, dag_run_id: str) -> None:
        self.deployed_flow = deployed_flow
        self.dag_run_id = dag_run_id

    @property
    def dag_id(self) -> str:
        """The id of its DAG."""
        return self.deployed_flow.name

    @property
    def name(self) -> str:
        """The run id."""
        return airflow_run_id(self.dag_id, self.dag_run_id)

    @property
    def pathspec(self) -> str:
        """``Flow/run``."""
        return f"{self.deployed_flow.flow_name}/{self.name}"

    @property
    def metadata_for_flow(self) -> str:
        """URL of the store that holds the run."""
        return self.deployed_flow.metadata

    @property
    def run(self) -> Run | None:
        """The run, ``None`` until its first task has started."""
        try:
            return Run(self.pathspec, _namespace_check=False, _store=self.metadata_for_flow)
        except MetaflowNotFound:
            return None

    def wait_for_run(self, check_interval: float = 5, timeout: float | None = None) -> None:
        """Wait until the first task has started.

        Raises:
            TimeoutError: It has not in time.
        """
        _wait(lambda: self.run is not None, check_interval, timeout, f"{self.pathspec} has not started")

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.pathspec}')"


class AirflowTriggeredRun(TriggeredRun):
    """A run of a flow that is deployed as an Airflow DAG."""

    @property
    def url(self) -> str:
        """Its page in the Airflow UI."""
        return self.deployed_flow._rest.run_page(self.dag_id, self.dag_run_id)

    @property
    def status(self) -> TriggeredStatus | None:
        """``Pending``, ``Running``, ``Succeeded``, ``Failed`` (terminated too), ``None`` if Airflow does not know the run."""
        dag_run = self.deployed_flow._rest.dag_run(self.dag_id, self.dag_run_id)
        return None if dag_run is None else STATES.get(str(dag_run["state"]))

    @property
    def is_running(self) -> bool:
        """Whether tasks of it run."""
        return self.status == "Running"

    def wait_for_completion(self, check_interval: float = 5, timeout: float | None = None) -> None:
        """Wait for the end.

        Raises:
            TimeoutError: It has not come in time.
        """
        _wait(
            lambda: self.status in ("Succeeded", "Failed", None),
            check_interval,
            timeout,
            f"{self.pathspec} has not ended",
        )

    def terminate(self, authorize: str | None = None) -> bool:
        """End the run: its tasks are stopped, and it counts as failed.

        Args:
            authorize: Token of a deployment that somebody else made.

        Returns:
            Whether it was still running or waiting.

        Raises:
            IncorrectProductionToken: Somebody else deployed the flow and the token is not its token.
        """
        check_token(self.deployed_flow._record, user_name(), authorize)
        if self.status not in ("Pending", "Running"):
            return False
        terminate_run(
            self.deployed_flow._rest,
            ledger_of(self.metadata_for_flow),
            self.deployed_flow.flow_name,
            self.dag_id,
            self.dag_run_id,
            user_name(),
        )
        return True

    def suspend(self, **kwargs: Any) -> bool:
        """Not offered.

        Raises:
            CommandException: Always; names the alternative.
        """
        raise self._not_offered("suspend", "pause")

    def unsuspend(self, **kwargs: Any) -> bool:
        """Not offered.

        Raises:
            CommandException: Always; names the alternative.
        """
        raise self._not_offered("unsuspend", "unpause")

    def _not_offered(self, wanted: str, instead: str) -> CommandException:
        return CommandException(
            f"Airflow cannot {wanted} one run ({self.pathspec}), but .{instead}() all runs of the deployment.",
            fix=f"Use .{instead}() of the deployment, which holds for all of its runs.",
            where={"run": self.pathspec},
        )


def _wait(condition: Any, check_interval: float, timeout: float | None, problem: str) -> None:
    give_up = None if timeout is None else time.monotonic() + timeout
    while not condition():
        if give_up is not None and time.monotonic() >= give_up:
            raise TimeoutError(f"{problem} within {timeout} s.")
        left = check_interval if give_up is None else min(check_interval, give_up - time.monotonic())
        time.sleep(max(left, 0))
