"""Deployed flows, for programs; the flow's file is not needed."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from airflow_mlflow_provider.client import get_metadata
from airflow_mlflow_provider.client.scope import ledger_of
from airflow_mlflow_provider.client.tagging import check_tags, put_first_tags
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.ending import delete_deployment
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.deploy.resuming import ResumeOptions, find_origin, start_resumed
from airflow_mlflow_provider.deploy.runs import (
    find_dag_run,
    new_dag_run_id,
    start_run,
    wait_until_parsed,
)
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.flow.user import user_name
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.programs.conf_values import conf_values
from airflow_mlflow_provider.programs.triggered import STATES, AirflowTriggeredRun
from airflow_mlflow_provider.store.ledger import Ledger

IMPLEMENTATIONS = ("airflow",)


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

    def trigger(self, *, tags: Sequence[str] = (), **kwargs: Any) -> AirflowTriggeredRun:
        """Start a run.

        Args:
            tags: User tags of this run, beside those of the deployment.
            kwargs: Values of parameters and of editable configs, as JSON values; ``None`` means the default. Files are given
                by their path.

        Raises:
            ValueError: A keyword is not a parameter.
            CommandException: It is a config that is not editable.
            MetaflowTaggingError: A tag breaks a rule.
            AirflowApiError: Airflow refused.
        """
        values = conf_values(self.manifest, self._ledger, kwargs, f"{self!r}.trigger()")
        check_tags(tags)
        rest = self._parsed()
        dag_run_id = new_dag_run_id()
        if tags:
            run_id = airflow_run_id(self.name, dag_run_id)
            put_first_tags(self._ledger, self.flow_name, run_id, (*self.manifest.tags, *tags))
        start_run(rest, self.name, values, dag_run_id, tags)
        return AirflowTriggeredRun(self, dag_run_id)

    def resume(
        self,
        origin_run_id: str,
        step: str | None = None,
        *,
        rerun_changed: bool = False,
        code: Literal["current", "origin"] = "current",
        until: str | None = None,
        clone_only: bool = False,
        **kwargs: Any,
    ) -> AirflowTriggeredRun:
        """Start a run that takes over what has finished in another one.

        Args:
            origin_run_id: The other run, a local one or one in Airflow: its run id, ``Flow/run`` or the id of its DAG run.
            step: Step to run again with all that follows it.
            rerun_changed: Whether steps whose code has changed since run again.
            code: Whose code runs: what is deployed now, or that of the origin.
            until: Step to stop after.
            clone_only: Whether nothing is run.
            kwargs: Values of parameters that differ from the origin's.

        Raises:
            CommandException: There is no such run or step.
            AirflowApiError: Airflow refused.
        """
        ledger, manifest = self._ledger, self.manifest
        values = conf_values(manifest, ledger, kwargs, f"{self!r}.resume()")
        options = ResumeOptions(
            find_origin(ledger, manifest, origin_run_id).run,
            step,
            values,
            rerun_changed,
            code,
            until,
            clone_only,
        )
        rest = self._parsed()
        dag_run_id = new_dag_run_id()
        start_resumed(rest, ledger, manifest, options, dag_run_id)
        return AirflowTriggeredRun(self, dag_run_id)

    def list_runs(self, states: list[str] | None = None) -> Iterator[AirflowTriggeredRun]:
        """The runs, newest first.

        Args:
            states: ``Pending``, ``Running``, ``Succeeded``, ``Failed``; all by default.
        """
        for dag_run in self._rest.dag_runs(self.name):
            if states is None or STATES.get(dag_run["state"]) in states:
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
        rest = self._rest if get("api_url") else None
        for _ in delete_deployment(record, deployments, rest, user_name(), authorize):
            pass
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


def _check_implementation(impl: str) -> None:
    if impl not in IMPLEMENTATIONS:
        raise ValueError(f"There is no implementation '{impl}'; there is {', '.join(IMPLEMENTATIONS)}.")
