"""What all commands of one invocation share: the flow, its graph, its store, where to print."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import CommandException, LintIssue, PyLintWarn
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.flow.preparation import flow_decorators, prepare
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.user import user_name
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest, Project
from airflow_mlflow_provider.runtime.assemble import assemble_manifest, flow_file
from airflow_mlflow_provider.runtime.local import default_store
from airflow_mlflow_provider.store.ledger import Ledger

if TYPE_CHECKING:
    from airflow_mlflow_provider.runtime.package import CodePackage
    from airflow_mlflow_provider.store.abc import Store

_ROOT_SCHEMES = {"s3": "s3://", "gs": "gs://", "azure": "az://"}


class TopLevel(msgspec.Struct, frozen=True):
    """Options before the command.

    Attributes:
        quiet: Print neither headers nor progress.
        decospecs: Decorators to add to every step that lacks them.
        datastore: ``local``, ``s3``, ``gs``, ``azure``, or ``None`` for what is configured.
        datastore_root: Path or URL of the store, or ``None`` for what is configured.
        suffixes: Endings of the files that belong to the flow's code.
        environment: ``local``, ``pypi`` or ``uv``.
        strict: Whether the linter's warnings are errors.
        config_files: Files of configs, by name.
        config_values: Values of configs, by name.
        pylint: Whether Pylint, if it is installed, checks the flow's file.
        branch: Branch of ``@project``.
        production: Whether the branch of ``@project`` is a production one.
        triggers: Pathspecs of runs that ``@trigger_on_finish`` would have started the run after.
        trigger_events: Events that ``@trigger`` would have started the run after: ``NAME`` or ``NAME:JSON``.
    """

    quiet: bool = False
    decospecs: tuple[str, ...] = ()
    datastore: str | None = None
    datastore_root: str | None = None
    suffixes: tuple[str, ...] = (".py", ".R", ".RDS")
    environment: str = "local"
    strict: bool = False
    config_files: tuple[tuple[str, str], ...] = ()
    config_values: tuple[tuple[str, str], ...] = ()
    pylint: bool = True
    branch: str | None = None
    production: bool = False
    triggers: tuple[str, ...] = ()
    trigger_events: tuple[str, ...] = ()


class Session:
    """One invocation of a flow's command line.

    Args:
        flow_class: The flow.
        options: Options before the command.
    """

    def __init__(self, flow_class: type[FlowSpec], options: TopLevel) -> None:
        self.flow_class = flow_class
        self.options = options
        # Values of configs, by name, that count where the command line gives none: those of the run that is resumed.
        self.kept_configs: Mapping[str, Any] = {}

    @property
    def flow_name(self) -> str:
        """Name of the flow."""
        return self.flow_class.__name__

    @functools.cached_property
    def graph(self) -> FlowGraph:
        """The flow's graph, linted.

        Raises:
            LintWarn: The flow has errors.
        """
        from airflow_mlflow_provider.flow.lint import check

        self.prepare()
        return check(self.flow_class, strict=self.options.strict)

    def pylint_issues(self) -> list[LintIssue]:
        """What Pylint calls errors in the flow's file; nothing with ``--no-pylint``, or where it is not installed."""
        if not self.options.pylint:
            return []
        from airflow_mlflow_provider.cli.pylint_check import pylint_issues

        return pylint_issues(self.file)

    def check(self) -> None:
        """See that the flow may be run or deployed.

        Raises:
            LintWarn: The flow has errors.
            PyLintWarn: Pylint found some.
        """
        _ = self.graph
        issues = self.pylint_issues()
        if issues:
            raise PyLintWarn(issues=issues)

    @functools.cached_property
    def file(self) -> Path:
        """The flow's file."""
        return flow_file(self.flow_class)

    @functools.cached_property
    def user(self) -> str:
        """Who works here."""
        return user_name()

    @functools.cached_property
    def store_url(self) -> str:
        """URL of the artifact store.

        Raises:
            CommandException: ``--datastore`` and ``--datastore-root`` do not go together.
        """
        kind, root = self.options.datastore, self.options.datastore_root
        if root is None:
            root = default_store()
        elif "://" not in root:
            root = Path(root).expanduser().resolve().as_uri()
        wanted = _ROOT_SCHEMES.get(kind or "", "file://" if kind == "local" else "")
        if not root.startswith(wanted):
            raise CommandException(
                f"--datastore {kind} needs a root that begins with {wanted}, and the root is {root}.",
                fix=f"Give --datastore-root {wanted}…",
            )
        return root

    def ledger(self) -> Ledger:
        """The records of the store. Must not be used before a run of this process has forked its zygote."""
        from airflow_mlflow_provider.store.location import open_store

        return Ledger(open_store(self.store_url))

    @functools.cached_property
    def decospecs(self) -> tuple[str, ...]:
        """Decorators to add to every step that lacks them: those configured, then those of ``--with``."""
        return (*get("default_decospecs"), *self.options.decospecs)

    @functools.cached_property
    def configs(self) -> Mapping[str, Any]:
        """Values of the flow's configs, by name; with them the flow is prepared, its mutators run.

        Raises:
            UsageError: Configs are missing or cannot be read.
            MetaflowException: A mutator or a decorator of ``--with`` is wrong.
        """
        files, values = dict(self.options.config_files), dict(self.options.config_values)
        try:
            return prepare(self.flow_class, files, values, self.decospecs, kept=self.kept_configs)
        except CommandException as error:
            raise click.UsageError(f"{error} {error.fix}") from error

    def prepare(self) -> None:
        """Make parameters and decorators of the flow what configs, mutators and ``--with`` make of them.

        Raises:
            UsageError: Configs are missing or cannot be read.
            MetaflowException: A mutator or a decorator of ``--with`` is wrong.
        """
        _ = self.configs

    @functools.cached_property
    def project(self) -> Project | None:
        """The branch of ``@project`` that runs belong to, ``None`` without it.

        Raises:
            MetaflowException: The branch is misspelt or differs from the decorator's, or there is no ``@project``.
        """
        self.prepare()
        wanted = bool(self.options.branch or self.options.production)
        if not wanted and all(decorator.name != "project" for decorator in flow_decorators(self.flow_class)):
            return None
        from airflow_mlflow_provider.deploy.assemble import DeploymentOptions, project_of

        options = DeploymentOptions(branch=self.options.branch, production=self.options.production)
        return project_of(self.flow_class, self.flow_name, options, lambda: self.user)

    def package(self) -> CodePackage:
        """The flow's code as it is now.

        Raises:
            CommandException: It is too large.
            NonUniqueFileNameToFilePathMappingException: Two different sources want one path.
        """
        from airflow_mlflow_provider.runtime.environments.project import project_files
        from airflow_mlflow_provider.runtime.package import build_package, flow_contributions

        store = self.store_url
        skip = [Path(store.removeprefix("file://"))] if store.startswith("file://") else []
        self.prepare()
        return build_package(
            self.file,
            suffixes=self.options.suffixes,
            max_mb=int(get("package_max_mb")),
            skip=skip,
            contributions=[
                *flow_contributions(self.flow_class),
                *project_files(self.options.environment, self.file),
            ],
        )

    def ready_environments(
        self, manifest: FlowManifest, store: Store, origin: str | None = None
    ) -> FlowManifest:
        """The manifest of a run here with the locks of its steps' environments, which are stored, and built.

        Args:
            manifest: The flow.
            store: The artifact store.
            origin: The run that is resumed, whose locks are used where they are what the flow asks for.

        Raises:
            MetaflowNotFound: There is no such run.
            InvalidEnvironmentException: Packages cannot be met together, or an environment cannot be built.
        """
        from airflow_mlflow_provider.runtime.environments.locking import build_environments, lock_environments
        from airflow_mlflow_provider.runtime.environments.platforms import this_platform

        before = Ledger(store).run(self.flow_name, origin).environments if origin else {}
        locked = lock_environments(manifest, self.file, store, (this_platform(),), self.note, before=before)
        build_environments(locked, store, self.note)
        return locked

    def local_manifest(self, user_namespace: str | None = None) -> FlowManifest:
        """The manifest of a local run.

        Args:
            user_namespace: Namespace of the client in steps, ``None`` for the user's, empty for all.

        Raises:
            MetaflowException: The branch of ``@project`` is wrong.
        """
        project = self.project
        tags = (f"project:{project.name}", f"project_branch:{project.branch}") if project else ()
        return msgspec.structs.replace(
            self.manifest(),
            project=project,
            system_tags=tags,
            namespace=user_namespace,
        )

    def manifest(self) -> FlowManifest:
        """The flow as data, with its parameters' defaults of this moment."""
        manifest = assemble_manifest(
            self.flow_class,
            self.graph,
            store=self.store_url,
            user=self.user,
            code=Code("", self.file.name, self.flow_name),
            configs=self.configs,
            decospecs=self.decospecs,
        )
        return msgspec.structs.replace(manifest, environment=self.options.environment)

    def note(self, text: str) -> None:
        """Print a line for the user's eyes, unless ``--quiet``."""
        if not self.options.quiet:
            click.echo(text, err=True)


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags that a command line gives a run.

    Raises:
        MetaflowTaggingError: One cannot be a tag, or they are too many.
    """
    if tags:
        from airflow_mlflow_provider.client.tagging import check_tags

        check_tags(tags)
    return tuple(dict.fromkeys(tags))


def split_list(value: str | Sequence[str]) -> tuple[str, ...]:
    """A comma-separated option as its parts."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())
