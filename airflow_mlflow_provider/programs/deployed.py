"""Deployed flows and the runs that Airflow starts of them, for programs; the flow's file is not needed."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from airflow_mlflow_provider.client import Run, get_metadata
from airflow_mlflow_provider.client.scope import ledger_of
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.destination import deployment_files
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments, check_token
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.resuming import ResumeOptions, plan_deployed_resume, start_resumed
from airflow_mlflow_provider.deploy.runs import (
    check_conf,
    find_dag_run,
    new_dag_run_id,
    start_run,
    wait_until_parsed,
)
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.includefile import DESCRIPTOR_TYPE
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.flow.user import user_name
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.programs.keywords import keyword_of, unknown_keyword
from airflow_mlflow_provider.runtime.included_files import keep_bytes
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunEnd

TriggeredStatus = Literal["Pending", "Running", "Succeeded", "Failed"]
IMPLEMENTATIONS = ("airflow",)

_STATES: dict[str, TriggeredStatus] = {
    "queued": "Pending",
    "scheduled": "Pending",
    "running": "Running",
    "success": "Succeeded",
    "failed": "Failed",
}


class DeployedFlow:
    """A flow that is deployed.

    Args:
        record: The record of the deployment.
        metadata: URL of the store that holds it.
    """

    def __init__(self, record: DeploymentRecord, metadata: str) -> None:
        self._record = record
        self.metadata = metadata

    @property
    def name(self) -> str:
        """The id of its DAG."""
        return self._record.dag_id

    @property
    def flow_name(self) -> str:
        """Name of the flow."""
        return self._record.flow

    @property
    def production_token(self) -> str:
        """The token that lets others redeploy it."""
        return self._record.token

    @classmethod
    def from_deployment(
        cls, identifier: str, metadata: str | None = None, impl: str = "airflow"
    ) -> AirflowDeployedFlow:
        """The deployment of a DAG id.

        Args:
            identifier: The DAG id, dotted or not.
            metadata: URL of the store; the active one by default.
            impl: ``airflow``.

        Raises:
            MetaflowNotFound: Nothing is deployed under it in the store.
            ValueError: There is no such implementation.
        """
        _check_implementation(impl)
        return cls.from_airflow(identifier, metadata)

    @classmethod
    def from_airflow(cls, identifier: str, metadata: str | None = None) -> AirflowDeployedFlow:
        """As :meth:`from_deployment`."""
        store = metadata or get_metadata()
        deployments = Deployments(ledger_of(store).store)
        record = deployments.find(identifier)
        if record is None:
            known = ", ".join(deployments.names()) or "none"
            raise MetaflowNotFound(
                f"{identifier} is not deployed from the store {store} (deployments: {known}).",
                fix="Correct the DAG id, or name the store with metadata=.",
                where={"dag": identifier, "store": store},
            )
        return AirflowDeployedFlow(record, store)

    @classmethod
    def get_triggered_run(
        cls, identifier: str, run_id: str, metadata: str | None = None, impl: str = "airflow"
    ) -> AirflowTriggeredRun:
        """A run of a deployment, by its run id or its DAG run id.

        Raises:
            MetaflowNotFound: There is no such deployment or run.
            ValueError: There is no such implementation.
        """
        _check_implementation(impl)
        return cls.get_triggered_airflow_run(identifier, run_id, metadata)

    @classmethod
    def get_triggered_airflow_run(
        cls, identifier: str, run_id: str, metadata: str | None = None
    ) -> AirflowTriggeredRun:
        """As :meth:`get_triggered_run`."""
        deployed = cls.from_airflow(identifier, metadata)
        ledger = ledger_of(deployed.metadata)
        dag_run_id = find_dag_run(
            deployed._rest, ledger, deployed.flow_name, identifier, run_id.rsplit("/", 1)[-1]
        )
        return AirflowTriggeredRun(deployed, dag_run_id)

    @classmethod
    def list_deployed_flows(
        cls, flow_name: str | None = None, impl: str = "airflow", metadata: str | None = None
    ) -> Iterator[AirflowDeployedFlow]:
        """The deployments of a store, of one flow or of all.

        Raises:
            ValueError: There is no such implementation.
        """
        _check_implementation(impl)
        return cls.list_airflow(flow_name, metadata)

    @classmethod
    def list_airflow(
        cls, flow_name: str | None = None, metadata: str | None = None
    ) -> Iterator[AirflowDeployedFlow]:
        """As :meth:`list_deployed_flows`."""
        store = metadata or get_metadata()
        deployments = Deployments(ledger_of(store).store)
        for name in deployments.names():
            record = deployments.find(name)
            if record is not None and flow_name in (None, record.flow):
                yield AirflowDeployedFlow(record, store)

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.name}')"


class AirflowDeployedFlow(DeployedFlow):
    """A flow that is deployed as an Airflow DAG."""

    @property
    def manifest(self) -> FlowManifest:
        """The flow as data, as it was deployed."""
        return self._record.flow_manifest()

    def trigger(self, **kwargs: Any) -> AirflowTriggeredRun:
        """Start a run.

        Args:
            kwargs: Values of parameters, as JSON values; ``None`` means the default. Files are given by their path.

        Raises:
            ValueError: A keyword is not a parameter.
            CommandException: It is a config, which is frozen when deployed.
            AirflowApiError: Airflow refused.
        """
        values = self._values(kwargs, f"{self!r}.trigger()")
        rest = self._parsed()
        dag_run_id = new_dag_run_id()
        start_run(rest, self.name, values, dag_run_id)
        return AirflowTriggeredRun(self, dag_run_id)

    def resume(self, origin_run_id: str, step: str | None = None, **kwargs: Any) -> AirflowTriggeredRun:
        """Start a run that takes over what has finished in another one.

        Args:
            origin_run_id: The other run, a local one or one in Airflow.
            step: Step to run again with all that follows it.
            kwargs: Values of parameters that differ from the origin's.

        Raises:
            CommandException: There is no such run or step.
            AirflowApiError: Airflow refused.
        """
        values = self._values(kwargs, f"{self!r}.resume()")
        ledger, manifest = self._ledger, self.manifest
        plan = plan_deployed_resume(ledger, manifest, ResumeOptions(origin_run_id, step, values))
        rest = self._parsed()
        dag_run_id = new_dag_run_id()
        start_resumed(rest, ledger, manifest, plan, values, dag_run_id)
        return AirflowTriggeredRun(self, dag_run_id)

    def list_runs(self, states: list[str] | None = None) -> Iterator[AirflowTriggeredRun]:
        """The runs, newest first.

        Args:
            states: ``Pending``, ``Running``, ``Succeeded``, ``Failed``; all by default.
        """
        for dag_run in self._rest.dag_runs(self.name):
            if states is None or _STATES.get(dag_run["state"]) in states:
                yield AirflowTriggeredRun(self, str(dag_run["dag_run_id"]))

    def pause(self) -> None:
        """Start no further scheduled runs."""
        self._rest.set_paused(self.name, True)

    def unpause(self) -> None:
        """Start scheduled runs again."""
        self._rest.set_paused(self.name, False)

    def delete(self, authorize: str | None = None) -> bool:
        """Remove the DAG file, the manifest, the DAG and the record of the deployment; runs stay in the store.

        Args:
            authorize: Token of a deployment that somebody else made.

        Returns:
            Whether there was something to remove.

        Raises:
            IncorrectProductionToken: Somebody else deployed it and the token is not its token.
        """
        deployments = Deployments(self._ledger.store)
        record = deployments.find(self.name)
        if record is None:
            return False
        check_token(record, user_name(), authorize)
        deployment_files(record.target).delete()
        if get("api_url"):
            self._rest.delete_dag(self.name)
        deployments.delete(self.name)
        return True

    @functools.cached_property
    def _rest(self) -> AirflowRest:
        # Kept, as every new client logs in.
        return AirflowRest.configured()

    @property
    def _ledger(self) -> Ledger:
        return ledger_of(self.metadata)

    def _parsed(self) -> AirflowRest:
        rest = self._rest
        if rest.dag(self.name) is None:
            file_name = self._record.target.rpartition("/")[2]
            wait_until_parsed(rest, self.name, file_name, 0.0, get("deploy_wait_s"))
        return rest

    def _values(self, given: Mapping[str, Any], call: str) -> dict[str, Any]:
        manifest = self.manifest
        names = {keyword_of(spec.name): spec for spec in manifest.parameters}
        values: dict[str, Any] = {}
        for keyword, value in given.items():
            spec = names.get(keyword)
            if spec is None:
                check_conf(manifest, {keyword: value} if keyword in manifest.configs else {})
                raise ValueError(unknown_keyword(call, keyword, names))
            if value is not None:
                values[spec.name] = self._kept(spec, value) if spec.kind == "file" else value
        return values

    def _kept(self, spec: ParameterSpec, value: Any) -> Any:
        if isinstance(value, Mapping):
            return dict(value)
        try:
            data = Path(value).read_bytes()
        except OSError as error:
            raise CommandException(
                f"The file {value} of the parameter '{spec.name}' cannot be read: {error.strerror}.",
                fix="Give the path of a readable file.",
                where={"parameter": spec.name, "path": str(value)},
            ) from error
        like = spec.default if isinstance(spec.default, Mapping) else {}
        return {
            "type": DESCRIPTOR_TYPE,
            "url": keep_bytes(self._ledger, data),
            "is_text": like.get("is_text", True),
            "encoding": like.get("encoding", "utf-8"),
            "size": len(data),
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
        return None if dag_run is None else _STATES.get(str(dag_run["state"]))

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
        self.deployed_flow._rest.set_run_state(self.dag_id, self.dag_run_id, "failed")
        if self.run is not None:
            end = RunEnd("terminated", time.time(), f"ended by {user_name()}")
            ledger_of(self.metadata_for_flow).end_run(self.deployed_flow.flow_name, self.name, end)
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
            f"Airflow cannot {wanted} one run ({self.pathspec}).",
            fix=f"Use .{instead}() of the deployment, which holds for all of its runs.",
            where={"run": self.pathspec},
        )


def _check_implementation(impl: str) -> None:
    if impl not in IMPLEMENTATIONS:
        raise ValueError(f"There is no implementation '{impl}'; there is {', '.join(IMPLEMENTATIONS)}.")


def _wait(condition: Any, check_interval: float, timeout: float | None, problem: str) -> None:
    give_up = None if timeout is None else time.monotonic() + timeout
    while not condition():
        if give_up is not None and time.monotonic() >= give_up:
            raise TimeoutError(f"{problem} within {timeout} s.")
        left = check_interval if give_up is None else min(check_interval, give_up - time.monotonic())
        time.sleep(max(left, 0))
