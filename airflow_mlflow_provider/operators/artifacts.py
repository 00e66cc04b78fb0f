"""Operators on artifacts and runs, for DAGs that are written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.hooks.artifact_store import ArtifactStoreHook
from airflow_mlflow_provider.hooks.artifact_versions import SCHEME, check_name
from airflow_mlflow_provider.operators.origin import FLOW_RUN_KEY, ORIGIN_KEY, run_place
from airflow_mlflow_provider.operators.outcome_facts import partition, value_metrics

if TYPE_CHECKING:
    from airflow.sdk import Context

Tags = str | Sequence[str]

# XCom that the link *Artifact* reads: the named artifact that a task dealt with, and its asset.
ARTIFACT_KEY = "named_artifact"


class PublishArtifactOperator(BaseOperator):
    """Registers a value as the next version of a named artifact.

    The task's XCom, and the event of the asset ``artifact_asset(name)``, tell which version it is. A value that equals the
    newest version makes no new one.

    :param name: Name of the artifact. (templated)
    :param value: The value, usually the output of another task. (templated)
    :param tags: Words to find the version by. (templated)
    :param metadata: Anything else that is JSON. (templated)
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    """

    template_fields: Sequence[str] = ("name", "value", "tags", "metadata", "artifact_store_conn_id")
    template_fields_renderers = {"metadata": "json"}  # noqa: RUF012 - Airflow's own form
    ui_color = "#f2ecff"

    def __init__(
        self,
        *,
        name: str,
        value: Any,
        tags: Tags = (),
        metadata: Mapping[str, Any] | None = None,
        artifact_store_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_asset(name, kwargs))
        self.name = name
        self.value = value
        self.tags = tags
        self.metadata = metadata
        self.artifact_store_conn_id = artifact_store_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish the value.

        :param context: The task's context.
        :return: ``artifact`` and ``pathspec`` (``artifact:name@3``), ``digest``, ``size`` (bytes), ``type``, ``tags``,
            ``metadata`` and ``metrics``.
        """
        hook = ArtifactStoreHook(self.artifact_store_conn_id)
        return publish(hook, context, self.name, self.value, self.tags, self.metadata)


class FetchArtifactOperator(BaseOperator):
    """Loads an artifact and returns it as the task's XCom.

    Values that are large, or no JSON, need the XCom backend of this package.

    :param artifact: ``Flow/run/step/artifact``, ``Flow/run/step/task/artifact``, where the run may be ``latest`` or
        ``latest-successful``, or ``artifact:name`` or ``artifact:name@3``. (templated)
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    """

    template_fields: Sequence[str] = ("artifact", "artifact_store_conn_id")
    ui_color = "#f2ecff"

    def __init__(self, *, artifact: str, artifact_store_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.artifact = artifact
        self.artifact_store_conn_id = artifact_store_conn_id

    def execute(self, context: Context) -> Any:
        """Load the artifact.

        :param context: The task's context.
        :return: Its value.
        """
        hook = ArtifactStoreHook(self.artifact_store_conn_id)
        if self.artifact.startswith(SCHEME):
            asset = self.artifact.partition("@")[0]
            context["ti"].xcom_push(ARTIFACT_KEY, {"artifact": self.artifact, "asset": asset})
            return hook.fetch(self.artifact)
        from airflow_mlflow_provider.hooks.artifact_lookup import find_artifact
        from airflow_mlflow_provider.store.loading import ArtifactReader

        ledger = hook.ledger
        found = find_artifact(ledger, self.artifact).require()
        flow, run, *_ = found.pathspec.split("/")
        context["ti"].xcom_push(ORIGIN_KEY, run_place(found.pathspec, ledger.run(flow, run).airflow))
        return ArtifactReader(hook.store).load(self.artifact, found.entry)


class TagRunOperator(BaseOperator):
    """Adds and removes user tags of a run in one atomic change, to promote it for instance.

    :param run: ``Flow/run``, where the run may be ``latest`` or ``latest-successful``. (templated)
    :param add: Tags to add. (templated)
    :param remove: Tags to remove; those that the run does not have are passed over. (templated)
    :param artifact_store_conn_id: Connection of the store; by default ``[mlflow_provider] datastore_root``.
    """

    template_fields: Sequence[str] = ("run", "add", "remove", "artifact_store_conn_id")
    ui_color = "#f2ecff"

    def __init__(
        self,
        *,
        run: str,
        add: Tags = (),
        remove: Tags = (),
        artifact_store_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run = run
        self.add = add
        self.remove = remove
        self.artifact_store_conn_id = artifact_store_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the tags.

        :param context: The task's context.
        :return: ``pathspec`` of the run and all its user ``tags`` after the change.
        :raises MetaflowNotFound: There is no such run.
        :raises MetaflowTaggingError: A tag breaks a rule, or a system tag was to be removed.
        """
        from airflow_mlflow_provider.client.tagging import change_tags
        from airflow_mlflow_provider.hooks.artifact_lookup import resolve_run

        ledger = ArtifactStoreHook(self.artifact_store_conn_id).ledger
        flow, separator, wanted = self.run.partition("/")
        if not (flow and separator and wanted) or "/" in wanted:
            raise CommandException(f"'{self.run}' is not the pathspec of a run.", fix="Write Flow/run.")
        record = ledger.run(flow, resolve_run(ledger, flow, wanted) or wanted)
        context["ti"].xcom_push(FLOW_RUN_KEY, run_place(f"{flow}/{record.run}", record.airflow))
        tags = change_tags(ledger, record, as_list(self.remove), as_list(self.add))
        return {"pathspec": f"{flow}/{record.run}", "tags": sorted(tags)}


def publish(
    hook: ArtifactStoreHook,
    context: Context,
    name: str,
    value: Any,
    tags: Tags,
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Publish a value on behalf of the running task, and tell the event of its asset which version it is.

    :param hook: The store.
    :param context: The task's context.
    :param name: Name of the artifact.
    :param value: The value.
    :param tags: Words to find the version by.
    :param metadata: Anything else that is JSON.
    :return: What the XCom and the event carry.
    """
    ti = context["ti"]
    made_by = {
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": ti.map_index,
        "try_number": ti.try_number,
    }
    version = hook.publish(name, value, tags=as_list(tags), metadata=metadata, made_by=made_by)
    facts = {
        **version.facts(),
        "pathspec": version.reference,
        "metrics": value_metrics(value, metadata),
        **partition(context),
    }
    ti.xcom_push(ARTIFACT_KEY, {"artifact": facts["artifact"], "asset": f"{SCHEME}{name}"})
    for asset in context["task"].outlets:
        if getattr(asset, "name", None) == f"{SCHEME}{name}":
            context["outlet_events"][asset].extra = facts
    return facts


def with_asset(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """An operator's arguments with the artifact's asset among the outlets.

    A name that only a running task knows has none: Airflow has to know a task's assets before.
    """
    from airflow_mlflow_provider.assets.artifact import artifact_asset

    if "{{" in name:
        return arguments
    asset = artifact_asset(check_name(name))
    given = arguments.get("outlets") or []
    given = list(given) if isinstance(given, (list, tuple)) else [given]
    return {**arguments, "outlets": given if asset in given else [*given, asset]}


def as_list(tags: Tags) -> list[str]:
    """Tags as a list, whether one was given or several."""
    return [tags] if isinstance(tags, str) else list(tags)
