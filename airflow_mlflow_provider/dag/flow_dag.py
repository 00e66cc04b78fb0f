"""A DAG from a flow's class, for those who keep flow code in their DAGs folder.

The DAG processor then imports the flow's file, as it does any DAG file. The steps still run from a code package, made
when a run starts, so a file that changes later does not change runs already started.
"""

from __future__ import annotations

import importlib.util
import sys
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from airflow_mlflow_provider.flow.spec import is_loading

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_mlflow_provider.flow.spec import FlowSpec
    from airflow_mlflow_provider.plan.manifest import Compute, Limits

Environment = Literal["local", "pypi", "uv"]


def FlowDag(  # noqa: N802, PLR0913 - keywords only, and it stands where Airflow users write `DAG(…)`
    flow: type[FlowSpec] | str | PathLike[str],
    *,
    store: str | None = None,
    name: str | None = None,
    branch: str | None = None,
    production: bool = False,
    compute: Compute | None = None,
    environment: Environment | None = None,
    tags: tuple[str, ...] = (),
    limits: Limits | None = None,
    is_paused_upon_creation: bool = False,
    worker_pool: str | None = None,
    fuse: bool = False,
) -> DAG:
    """The DAG of a flow; assign it to a global of the DAG file.

    Where the file is executed for a step, and where Airflow is not installed, as on a laptop that runs the flow, there is no DAG:
    whatever the file does with it does nothing.

    Args:
        flow: A flow's class, or the path of a manifest, for which the other arguments say nothing.
        store: URL of the artifact store; by default ``datastore_root``.
        name: Id of the DAG, if not the flow's name.
        branch: Branch of ``@project``.
        production: Whether it is the production branch of ``@project``.
        compute: Where steps run that do not say so themselves; by default ``default_compute``.
        environment: What steps may import: ``local``, ``pypi`` or ``uv``; by default ``default_environment``. Packages are locked when
            a run starts, and those of the same request only once for a store.
        tags: User tags of every run, and of the DAG.
        limits: Caps of the deployment.
        is_paused_upon_creation: Whether the DAG is paused when Airflow first sees it.
        worker_pool: Airflow pool of every step that names none.
        fuse: Whether chains of steps that need the same machine and attempts run as one Airflow task.

    Raises:
        LintWarn: The flow has errors; Airflow shows all of them as the file's import error.
        CommandException: The flow cannot be deployed so, or no store is configured.
    """
    if is_loading() or importlib.util.find_spec("airflow") is None:
        return _NoDag()  # type: ignore[return-value]
    from airflow_mlflow_provider.dag.build import build_dag
    from airflow_mlflow_provider.dag.described import described
    from airflow_mlflow_provider.plan.manifest import Limits

    caller = sys._getframe(1).f_globals.get("__file__", "")
    manifest = described(
        flow,
        caller,
        store,
        environment,
        name=name,
        branch=branch,
        production=production,
        compute=compute,
        tags=tuple(tags),
        limits=limits or Limits(),
        paused=is_paused_upon_creation,
        worker_pool=worker_pool,
        fuse=fuse,
    )
    dag = build_dag(manifest)
    if caller:
        dag.fileloc = caller
    return dag


class _NoDag:
    """Stands where a DAG would."""

    def __getattr__(self, name: str) -> _NoDag:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> _NoDag:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass
