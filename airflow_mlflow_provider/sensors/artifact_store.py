"""Sensors of runs and artifacts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_mlflow_provider.exception import CommandException, MetaflowException
from airflow_mlflow_provider.hooks.artifact_lookup import check_reference
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.hooks.artifact_versions import SCHEME
from airflow_mlflow_provider.triggers.looking import Predicate, look_for_artifact, look_for_run

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mlflow_provider.triggers.artifact_store import ArtifactTrigger, FlowRunTrigger

_ENDED = ("succeeded", "failed", "terminated")
_STATES = frozenset({*_ENDED, "running"})


class _StoreSensor(BaseSensorOperator):
    """Waits in the triggerer, or pokes; what is found is the task's XCom."""

    def __init__(self, *, artifact_store_conn_id: str | None, deferrable: bool | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.artifact_store_conn_id = artifact_store_conn_id
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False)
            if deferrable is None
            else deferrable
        )

    @abstractmethod
    def look(self, hook: ArtifactStoreHook) -> dict[str, Any] | None:
        """What is waited for, ``None`` if it is not there yet."""

    @abstractmethod
    def trigger(self) -> FlowRunTrigger | ArtifactTrigger:
        """What waits for it in the triggerer."""

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once.

        :param context: The task's context.
        :return: Whether it is there, and its facts.
        """
        found = self.look(self._hook())
        return PokeReturnValue(is_done=found is not None, xcom_value=found)

    def execute(self, context: Context) -> Any:
        """Look once, then wait in the triggerer if the sensor is deferrable, else here.

        :param context: The task's context.
        :return: The facts of what was found.
        """
        if not self.deferrable:
            return super().execute(context)
        found = self.look(self._hook())
        return found if found is not None else self._wait()

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the triggerer has found it.

        :param context: The task's context.
        :param event: The facts of what was found.
        :return: The facts of what was found.
        :raises MetaflowException: The store could not be read.
        """
        if "error" in event:
            raise MetaflowException(
                f"The store could not be asked: {event['error']}", fix="See the triggerer's log."
            )
        return event

    def _wait(self) -> None:
        self.defer(
            trigger=self.trigger(),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout) if self.timeout else None,
        )

    def _hook(self) -> ArtifactStoreHook:
        return ArtifactStoreHook(self.artifact_store_conn_id)


class FlowRunSensor(_StoreSensor):
    """Waits until a run of a flow has ended, or until a run with tags exists.

    :param flow: Name of the flow. (templated)
    :param run: A run id, ``latest`` or ``latest-successful``; by default any run that fits. (templated)
    :param tags: Tags that the run must have, all of them. (templated)
    :param states: States that end the wait, of ``succeeded``, ``failed``, ``terminated`` and ``running``; by default
        ``succeeded``.
    :param failed_states: States of the run named by ``run`` that fail the sensor; by default ``failed`` and
        ``terminated``, as far as they are not in ``states``.
    :param since: Only runs started from this moment on, where any will do: a datetime or its ISO form. (templated)
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = ("flow", "run", "tags", "since", "artifact_store_conn_id")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        flow: str,
        run: str | None = None,
        tags: Sequence[str] = (),
        states: Sequence[str] = ("succeeded",),
        failed_states: Sequence[str] | None = None,
        since: datetime | str | None = None,
        artifact_store_conn_id: str | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(artifact_store_conn_id=artifact_store_conn_id, deferrable=deferrable, **kwargs)
        self.flow = flow
        self.run = run
        self.tags = tags
        self.states = tuple(states)
        self.failed_states = (
            tuple(state for state in ("failed", "terminated") if state not in self.states)
            if failed_states is None
            else tuple(failed_states)
        )
        self.since = since
        unknown = sorted({*self.states, *self.failed_states} - _STATES)
        if unknown:
            raise CommandException(
                f"{unknown[0]} is not the state of a run.", fix=f"Use {', '.join(sorted(_STATES))}."
            )

    def look(self, hook: ArtifactStoreHook) -> dict[str, Any] | None:
        """The facts of the run, ``None`` if there is none yet.

        :param hook: The store.
        :raises MetaflowException: The run named has ended in another state.
        """
        found = look_for_run(hook.ledger, self.flow, self.run, self.tags, self._awaited, self._since)
        return None if found is None else self._checked(found)

    def trigger(self) -> FlowRunTrigger:
        """What waits for it in the triggerer."""
        from airflow_mlflow_provider.triggers.artifact_store import FlowRunTrigger

        return FlowRunTrigger(
            flow=self.flow,
            run=self.run,
            tags=list(self.tags),
            states=self._awaited,
            since=self._since,
            artifact_store_conn_id=self.artifact_store_conn_id,
            poke_interval=self.poke_interval,
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the triggerer has found it.

        :param context: The task's context.
        :param event: The facts of the run.
        :return: The facts of the run.
        :raises MetaflowException: The run named has ended in another state, or the store could not be read.
        """
        return self._checked(super().execute_complete(context, event))

    def _checked(self, found: dict[str, Any]) -> dict[str, Any]:
        if found["status"] in self.failed_states:
            raise MetaflowException(
                f"The run {found['pathspec']} is {found['status']}.",
                fix="See its tasks' logs; the sensor goes on if `states` has that state.",
                where={"pathspec": found["pathspec"]},
            )
        return found

    @property
    def _awaited(self) -> tuple[str, ...]:
        # Any run will do: one that failed is not it, the next may be. A run that is named has no next one.
        return self.states if self.run is None else (*self.states, *self.failed_states)

    @property
    def _since(self) -> float:
        if self.since is None:
            return 0.0
        moment = datetime.fromisoformat(self.since) if isinstance(self.since, str) else self.since
        return moment.timestamp()


class ArtifactSensor(_StoreSensor):
    """Waits until an artifact exists, or satisfies a predicate.

    The triggerer reads records only. Where just the value can tell whether the predicate holds, the task comes back to a
    worker to look at it, once for each new value.

    :param artifact: ``Flow/run/step/artifact``, ``Flow/run/step/task/artifact``, where the run may be ``latest`` or
        ``latest-successful``, or ``artifact:name``. (templated)
    :param predicate: A condition as data, such as ``{"op": ">=", "value": 0.9}``,
        ``{"of": "len", "op": ">", "value": 0}`` or ``{"path": ["metrics", "auc"], "op": ">", "value": 0.8}``. (templated)
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = ("artifact", "predicate", "artifact_store_conn_id")
    template_fields_renderers = {"predicate": "json"}  # noqa: RUF012 - Airflow's own form
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        artifact: str,
        predicate: Mapping[str, Any] | None = None,
        artifact_store_conn_id: str | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(artifact_store_conn_id=artifact_store_conn_id, deferrable=deferrable, **kwargs)
        self.artifact = artifact
        self.predicate = predicate
        self._rejected = ""

    def look(self, hook: ArtifactStoreHook) -> dict[str, Any] | None:
        """The facts of the artifact, ``None`` if there is none yet that satisfies the predicate.

        :param hook: The store.
        """
        if not self.artifact.startswith(SCHEME):
            check_reference(self.artifact)
        predicate = None if self.predicate is None else Predicate.of_data(self.predicate)
        found = look_for_artifact(hook.ledger, self.artifact, predicate, self._rejected)
        return found if found is None or self._satisfies(hook, found) else None

    def trigger(self) -> ArtifactTrigger:
        """What waits for it in the triggerer."""
        from airflow_mlflow_provider.triggers.artifact_store import ArtifactTrigger

        return ArtifactTrigger(
            artifact=self.artifact,
            predicate=self.predicate,
            rejected=self._rejected,
            artifact_store_conn_id=self.artifact_store_conn_id,
            poke_interval=self.poke_interval,
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the triggerer has found it; look at its value if only that can tell.

        :param context: The task's context.
        :param event: The facts of the artifact.
        :return: The facts of the artifact.
        :raises MetaflowException: The store could not be read.
        """
        found = super().execute_complete(context, event)
        return found if self._satisfies(self._hook(), found) else self._wait()

    def _satisfies(self, hook: ArtifactStoreHook, found: dict[str, Any]) -> bool:
        only_the_value_can_tell = found.pop("ask")
        if self.predicate is None or not only_the_value_can_tell:
            return True
        # The very value that the record described: `latest` may be another one by now.
        if Predicate.of_data(self.predicate).holds(hook.fetch(found["artifact"])):
            return True
        self._rejected = found["digest"]
        return False
