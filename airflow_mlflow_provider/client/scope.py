"""What the client looks at: which store, and which namespace of it."""

from __future__ import annotations

import functools
from pathlib import Path

from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.current import current
from airflow_mlflow_provider.flow.user import user_name
from airflow_mlflow_provider.runtime.local import STORE_FOLDER, default_store
from airflow_mlflow_provider.store._overlay import SCHEME, SPIN_FOLDER, UNDERLAY
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store


class _Scope:
    """What is active in this process; ``namespace`` is the default one unless ``chosen``."""

    chosen = False
    namespace: str | None = None
    store: str | None = None


_scope = _Scope()


def namespace(ns: str | None) -> str | None:
    """Switch to a namespace; ``None`` is the global one.

    Returns:
        The namespace that is now active.
    """
    _scope.chosen, _scope.namespace = True, ns
    return get_namespace()


def get_namespace() -> str | None:
    """The active namespace, ``None`` for the global one."""
    return _scope.namespace if _scope.chosen else default_namespace(switch=False)


def default_namespace(*, switch: bool = True) -> str | None:
    """Switch back to the default namespace: the deployment's in a deployed task, else ``user:<name>``.

    Args:
        switch: Whether to switch, rather than only to tell.

    Returns:
        The default namespace.
    """
    if switch:
        _scope.chosen = False
    # In a task the run says which; the empty one is the global one.
    of_run: str | None = current.get("_namespace")
    return (of_run or None) if of_run is not None else f"user:{user_name()}"


def metadata(ms: str) -> str:
    """Read from another store.

    Args:
        ms: A store URL, a path, or ``local@<path>``; the path of a store, or of a folder that has one as ``.mlflow_provider``.

    Returns:
        The store's URL.

    Raises:
        CommandException: It names a metadata service, which there is none of.
    """
    if ms.startswith("service@"):
        raise CommandException(
            f"metadata({ms!r}): there is no metadata service; the artifact store (datastore_root) is the metadata provider.",
            fix="Give the store's URL or folder, or set datastore_root.",
            where={"metadata": ms},
        )
    root = ms.removeprefix("local@")
    if "://" not in root:
        folder = Path(root).expanduser().resolve()
        inside = folder / STORE_FOLDER
        root = (inside if inside.is_dir() else folder).as_uri()
    _scope.store = root
    return _scope.store


def inspect_spin(datastore_root: str = ".") -> str:
    """Read what ``spin --persist`` kept, until :func:`metadata` chooses another store.

    Args:
        datastore_root: The folder in which the flow was spun, or its ``.mlflow_provider_spin``.

    Returns:
        The store's URL.

    Raises:
        MetaflowNotFound: Nothing was kept there.
    """
    root = Path(datastore_root).expanduser().resolve()
    folder = root if root.name == SPIN_FOLDER else root / SPIN_FOLDER
    if not (folder / UNDERLAY).is_file():
        raise MetaflowNotFound(
            f"There is no spun task in {folder}.",
            fix="Spin a step with --persist, and name the folder in which that was done.",
            where={"folder": str(folder)},
        )
    _scope.store = f"{SCHEME}{folder.as_uri()}"
    return _scope.store


def get_metadata() -> str:
    """URL of the store that is read: the one chosen, else that of the running task, else the configured one."""
    return _scope.store or current.get("_store") or default_store()


def default_metadata() -> str:
    """Switch back to the configured store.

    Returns:
        Its URL.
    """
    _scope.store = None
    return get_metadata()


@functools.lru_cache(maxsize=8)
def ledger_of(url: str) -> Ledger:
    """The records of a store, opened once per process."""
    return Ledger(open_store(url))
