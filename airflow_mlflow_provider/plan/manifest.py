"""The manifest: everything a scheduler needs to know of a flow, and nothing that needs user code.

A manifest is made once, where the flow's code is (``python flow.py run``, ``… airflow create``), and is the only thing
that the Airflow side reads. It is plain, indented JSON, so that two deployments can be compared with
``diff``. The Airflow DAG is a pure function of it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.graph import DecoratorSpec, FlowGraph
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec

SCHEMA_VERSION = 1

Compute = Literal["worker", "kubernetes"]
CodeSource = Literal["package", "bundle"]


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True):
    """When Airflow starts a run by itself.

    Attributes:
        cron: Five-field Unix cron expression.
        timezone: IANA name.
        start_date: ISO 8601 moment of the first deployment, kept by later ones.
    """

    cron: str
    timezone: str = "UTC"
    start_date: str = ""


class EventTrigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """An Airflow asset whose update starts a run.

    Attributes:
        asset: Name of the asset.
        parameters: Maps a parameter of the flow to the payload field that sets it.
        kind: ``event`` for ``@trigger``, ``run`` for ``@trigger_on_finish``.
    """

    asset: str
    parameters: dict[str, str] = {}
    kind: Literal["event", "run"] = "event"


class ExitHook(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function that runs when the run is sealed.

    Attributes:
        name: Dotted or plain name, resolved in the code package.
        on: Which outcome it waits for.
    """

    name: str
    on: Literal["success", "error"]


class Project(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ``@project`` says of this deployment."""

    name: str
    branch: str
    is_user_branch: bool
    is_production: bool
    flow_name: str


class Code(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the flow's code is.

    Attributes:
        digest: Digest of the code package in the store; ``""`` when there is none.
        script: Path of the flow's file inside the package, with ``/``.
        class_name: Name of the flow's class.
        source: ``package`` unpacks the package, ``bundle`` imports from the DAG bundle.
        path: For ``bundle``: path of the flow's file, absolute or relative to the DAG file's folder.
    """

    digest: str
    script: str
    class_name: str
    source: CodeSource = "package"
    path: str = ""


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Caps of a deployment.

    Attributes:
        max_workers: Concurrent tasks of one run, and of one foreach.
        max_map_width: Widest expansion; a wider foreach is sharded.
        splits_per_task: Splits that share an Airflow task, also where a foreach is no wider than ``max_map_width``.
        max_num_splits: Widest foreach allowed, ``None`` for any.
        max_iterations: Longest loop.
        workflow_timeout: Seconds a run may take, ``None`` for any.
        fail_fast: Whether tasks that have not started end once another has failed.
    """

    max_workers: int = 100
    max_map_width: int = 512
    splits_per_task: int = 1
    max_num_splits: int | None = None
    max_iterations: int = 10_000
    workflow_timeout: int | None = None
    fail_fast: bool = False

    @property
    def asks_for_shards(self) -> bool:
        """Whether splits are to share Airflow tasks: by their number for each, or by allowing foreaches that must be sharded."""
        return self.splits_per_task > 1 or (self.max_num_splits or 0) > self.max_map_width


class FlowManifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A flow as its schedulers see it.

    Attributes:
        dag_id: Id of the DAG.
        task_group: Id of the task group that the flow is in a DAG of somebody else's; ``""`` where the DAG is the flow's own.
        graph: Steps, transitions, step decorators.
        store: URL of the artifact store.
        code: Where the flow's code is.
        environment: ``local``, ``pypi`` or ``uv``.
        environments: Digest of the lock of each step that has an environment of its own.
        compute: Where steps run that do not say so themselves.
        configs: Frozen configuration values by name.
        config_attributes: Attribute that holds a config, by name, where the two differ.
        constants: Digest of each plain class attribute, by name.
        editable_configs: Names of those to which a run may give another value.
        decospecs: Decorators that ``--with`` added, as it gave them.
        tags: User tags of each run.
        notify_on_error: Airflow connection of the web hook that is told of each failed run; ``""`` for none.
        notify_on_success: The same of each run that succeeded.
        settings: Configuration frozen at deployment (``kubernetes_image``, ``pod_deferrable`` …), by key.
        provider: Version of this package that wrote the manifest.
    """

    dag_id: str
    graph: FlowGraph
    store: str
    code: Code
    parameters: tuple[ParameterSpec, ...] = ()
    configs: dict[str, Any] = {}
    config_attributes: dict[str, str] = {}
    constants: dict[str, str] = {}
    editable_configs: tuple[str, ...] = ()
    decospecs: tuple[str, ...] = ()
    flow_decorators: tuple[DecoratorSpec, ...] = ()
    schedule: Schedule | None = None
    triggers: tuple[EventTrigger, ...] = ()
    exit_hooks: tuple[ExitHook, ...] = ()
    project: Project | None = None
    environment: str = "local"
    environments: dict[str, str] = {}
    compute: Compute = "worker"
    limits: Limits = Limits()
    tags: tuple[str, ...] = ()
    system_tags: tuple[str, ...] = ()
    namespace: str | None = None
    production_token: str = ""
    deployer: str = ""
    paused_upon_creation: bool = False
    notify_on_error: str = ""
    notify_on_success: str = ""
    settings: dict[str, Any] = {}
    provider: str = ""
    task_group: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def flow_name(self) -> str:
        """Name of the flow's class, the first component of every pathspec."""
        return self.graph.name

    def step_compute(self, step: str) -> Compute:
        """Where a step runs on Airflow."""
        return "kubernetes" if self.graph[step].decorator("kubernetes") else self.compute

    def airflow_task(self, name: str) -> str:
        """Id of the Airflow task, or group of tasks, that is called ``name`` in a DAG of the flow's own."""
        return f"{self.task_group}.{name}" if self.task_group else name


def encode(manifest: FlowManifest) -> bytes:
    """The manifest as indented JSON, fields and steps in a fixed order; equal manifests give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(data: bytes, source: str = "") -> FlowManifest:
    """Read a manifest.

    Args:
        data: JSON.
        source: Where it comes from, for the error.

    Raises:
        CommandException: It is not a manifest, or one of a newer version of this package.
    """
    where = {"manifest": source} if source else {}
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
    except msgspec.MsgspecError as error:
        raise CommandException(
            f"{source or 'The data'} is not a flow manifest: {error}.",
            fix="Write it anew with `python FLOW.py airflow create`.",
            where=where,
        ) from error
    if version > SCHEMA_VERSION:
        raise CommandException(
            f"{source or 'The manifest'} has schema version {version}; this package reads up to {SCHEMA_VERSION}.",
            fix="Upgrade airflow-mlflow-provider here, or deploy the flow again with this version.",
            where=where,
        )
    try:
        return msgspec.json.decode(data, type=FlowManifest)
    except msgspec.MsgspecError as error:
        raise CommandException(
            f"{source or 'The manifest'} cannot be read: {error}.",
            fix="Write it anew with `python FLOW.py airflow create`.",
            where=where,
        ) from error


class _Version(msgspec.Struct):
    schema_version: int = SCHEMA_VERSION
