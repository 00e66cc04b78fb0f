"""Deploying a flow: check, package, write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.assemble import DeploymentOptions, check_target, deployment_manifest
from airflow_mlflow_provider.deploy.bundled import bundled_code
from airflow_mlflow_provider.deploy.destination import deployment_files
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments, choose_token
from airflow_mlflow_provider.deploy.token_cache import remember_token
from airflow_mlflow_provider.exception import CommandException, InvalidEnvironmentException
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.manifest import CodeSource, FlowManifest
from airflow_mlflow_provider.runtime.environments.locking import lock_for_deployment
from airflow_mlflow_provider.runtime.environments.project import project_files
from airflow_mlflow_provider.runtime.included_files import keep_default_files
from airflow_mlflow_provider.runtime.package import CodePackage, build_package, flow_contributions
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store


class CreateOptions(msgspec.Struct, frozen=True):
    """What ``airflow create`` was asked for.

    Attributes:
        deployment: What decides the manifest.
        target: Path or URL of the DAG file.
        suffixes: Endings of the files that belong to the flow's code.
        authorize: Token given for a deployment that somebody else made.
        new_token: Token to use from now on.
        generate_token: Whether to make a new token.
        dry_run: Whether to change nothing.
        note: Is told what takes time.
        code: ``package`` stores the flow's code; ``bundle`` lets tasks import it from the DAG bundle that the DAG file is in.
    """

    deployment: DeploymentOptions
    target: str
    suffixes: tuple[str, ...]
    authorize: str | None = None
    new_token: str | None = None
    generate_token: bool = False
    dry_run: bool = False
    note: Callable[[str], None] = lambda text: None
    code: CodeSource = "package"


class Deployed(msgspec.Struct, frozen=True):
    """A deployment that was made.

    Attributes:
        manifest: What was deployed.
        written: Paths or URLs of the files written.
    """

    manifest: FlowManifest
    written: tuple[str, ...]


def deploy(
    flow_class: type[FlowSpec],
    base: FlowManifest,
    flow_file: Path,
    ledger: Ledger,
    options: CreateOptions,
    user: str,
) -> Deployed:
    """Deploy a flow. Whatever fails, fails before anything that is deployed now is touched.

    Args:
        flow_class: The flow.
        base: Its manifest as a local run would have it.
        flow_file: Its file.
        ledger: The store.
        options: What was asked for.
        user: Who deploys.

    Raises:
        CommandException: The flow cannot be deployed so; the message begins with the rule.
        IncorrectProductionToken: The deployment belongs to somebody else.
        StoreException: The store failed.
    """
    check_target(flow_file, options.target)
    files = deployment_files(options.target)
    manifest = deployment_manifest(flow_class, base, options.deployment, user, files.manifest())
    files.check_owner(manifest)
    deployments = Deployments(ledger.store)
    old = deployments.find(manifest.dag_id)
    _check_flow(old, manifest)
    token = choose_token(
        old,
        user,
        options.authorize,
        options.new_token,
        generate=options.generate_token,
    )
    package = _package(flow_class, flow_file, manifest, options) if options.code == "package" else None
    manifest = msgspec.structs.replace(
        manifest,
        production_token=token,
        code=msgspec.structs.replace(manifest.code, digest=package.digest, script=package.script)
        if package
        else bundled_code(manifest, flow_file, options.target),
    )
    if options.dry_run:
        # What cannot be resolved is told; the locks are kept nowhere.
        nowhere = open_store("memory://dry-run", cache=None)
        return Deployed(_with_environments(manifest, flow_file, nowhere, options), ())
    manifest = _with_environments(manifest, flow_file, ledger.store, options)
    manifest = keep_default_files(flow_class, manifest, ledger)
    if package is not None:
        ledger.put_code(package.digest, package.data)
    deployments.put(manifest, options.target)
    try:
        files.write(manifest)
    except BaseException:
        deployments.restore(manifest.dag_id, old)
        raise
    remember_token(user, manifest.dag_id, token)
    names = (files.dag_file, files.manifest_file)
    return Deployed(manifest, tuple(files.folder.describe(name) for name in names))


def _package(
    flow_class: type[FlowSpec], flow_file: Path, manifest: FlowManifest, options: CreateOptions
) -> CodePackage:
    return build_package(
        flow_file,
        suffixes=options.suffixes,
        with_runtime=True,
        max_mb=int(get("package_max_mb")),
        contributions=[*flow_contributions(flow_class), *project_files(manifest.environment, flow_file)],
    )


def _with_environments(
    manifest: FlowManifest, flow_file: Path, store: Store, options: CreateOptions
) -> FlowManifest:
    try:
        return lock_for_deployment(manifest, flow_file, store, options.note, with_wheels=not options.dry_run)
    except InvalidEnvironmentException as error:
        error.message = f"X005: {error.message}"
        raise


def _check_flow(old: DeploymentRecord | None, manifest: FlowManifest) -> None:
    if old is not None and old.flow != manifest.flow_name:
        raise CommandException(
            f"X011: the DAG {manifest.dag_id} deploys the flow {old.flow}, not {manifest.flow_name}.",
            fix="Give another --name, or delete that deployment first.",
            where={"dag": manifest.dag_id, "flow": old.flow},
        )
