"""What a DAG file may name a flow by, a class or a manifest's path, as the manifest that Airflow's side reads."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_mlflow_provider.dag.load import read_manifest
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.spec import FlowSpec

    FlowSource = type[FlowSpec] | str | PathLike[str]


def described(
    flow: FlowSource, caller: str, store: str | None, environment: str | None = None, **options: Any
) -> FlowManifest:
    """The manifest of a flow.

    Args:
        flow: A flow's class, or the path of a manifest, for which the other arguments say nothing.
        caller: The DAG file, to whose folder a path is relative.
        store: URL of the artifact store; by default ``datastore_root``.
        environment: ``local``, ``pypi`` or ``uv``; by default ``default_environment``.
        **options: How it is deployed, see ``DeploymentOptions``.

    Raises:
        LintWarn: The flow has errors, or Airflow could not run it so.
        CommandException: There is no such manifest, or no store is configured.
    """
    if not isinstance(flow, type):
        return read_manifest(Path(caller).parent / flow)
    from airflow_mlflow_provider.deploy.assemble import DeploymentOptions, deployment_manifest

    return deployment_manifest(flow, _base(flow, store, environment), DeploymentOptions(**options), "airflow")


def _base(flow: type[FlowSpec], store: str | None, environment: str | None) -> FlowManifest:
    from airflow_mlflow_provider.configuration import get
    from airflow_mlflow_provider.flow.lint import check
    from airflow_mlflow_provider.flow.preparation import prepare
    from airflow_mlflow_provider.runtime.assemble import assemble_manifest, flow_file

    file = flow_file(flow)
    decospecs = tuple(get("default_decospecs"))
    configs = prepare(flow, decospecs=decospecs)
    manifest = assemble_manifest(
        flow,
        check(flow),
        store=_store_url(flow, store),
        user="airflow",
        code=Code(digest="", script=file.name, class_name=flow.__name__, path=str(file)),
        configs=configs,
        decospecs=decospecs,
    )
    return msgspec.structs.replace(manifest, environment=environment or get("default_environment"))


def _store_url(flow: type[FlowSpec], store: str | None) -> str:
    from airflow_mlflow_provider.configuration import get

    root = store or get("datastore_root")
    if not root:
        raise CommandException(
            f"No artifact store is configured for {flow.__name__}: the tasks of a DAG have no common working directory.",
            fix=f"Set datastore_root in the [mlflow_provider] section, or give store=… with {flow.__name__}.",
            where={"flow": flow.__name__},
        )
    return root if "://" in root else Path(root).expanduser().resolve().as_uri()
