"""Opening a store by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from airflow_mlflow_provider.exception import StoreURLError
from airflow_mlflow_provider.store.abc import REMOTE_SCHEMES, Store

_FORMS = (
    "a folder, file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory://name"
)


def open_store(url: str, *, cache: Path | Literal["default"] | None = "default") -> Store:
    """The store at ``url``. Nothing is read or connected to until the store is used.

    Args:
        url: ``file:///folder`` or a path, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``,
            or ``memory://name`` (in this process, for tests).
        cache: Folder of the node-local cache in front of a remote store, ``None`` for none. By default what
            ``client_cache_path`` says.

    Raises:
        StoreURLError: The URL is none of these.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        if not url or "\0" in url:
            raise _unusable(url, "it is not a path")
        return _local(url)
    if scheme == "file":
        return _local(_file_path(url))
    if scheme == "memory":
        return _memory(url, rest)
    if scheme in REMOTE_SCHEMES:
        return _remote(url, cache)
    if scheme == "spin+file":
        return _overlay(url.removeprefix("spin+"))
    raise _unusable(url, f"there is no backend for '{scheme}://'")


def _local(path: str) -> Store:
    from airflow_mlflow_provider.store._local import LocalStore

    return LocalStore(Path(path).expanduser())


def _file_path(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise _unusable(url, "a file URL needs three slashes and an absolute path")
    return unquote(parts.path)


def _overlay(upper_url: str) -> Store:
    from airflow_mlflow_provider.store._overlay import UNDERLAY, OverlayStore

    upper = open_store(upper_url)
    return OverlayStore(upper, open_store(bytes(upper.get(UNDERLAY)).decode()))


def _memory(url: str, name: str) -> Store:
    from airflow_mlflow_provider.store._memory import MemoryStore

    if not name:
        raise _unusable(url, "it names no store")
    return MemoryStore(name)


def _remote(url: str, cache: Path | Literal["default"] | None) -> Store:
    from urllib.parse import urlsplit

    from airflow_mlflow_provider.store._cache import CachedStore, default_folder
    from airflow_mlflow_provider.store._remote import RemoteStore

    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username or parts.port:
        raise _unusable(url, "it must be a bucket and a prefix and nothing else")
    store = RemoteStore(parts.scheme, parts.netloc, parts.path.strip("/"))
    if cache is None:
        return store
    return CachedStore(store, default_folder(store.url) if cache == "default" else cache)


def _unusable(url: str, reason: str) -> StoreURLError:
    return StoreURLError(
        f"'{url}' cannot be used as a store: {reason}.", fix=f"Give {_FORMS}.", where={"store": url}
    )
