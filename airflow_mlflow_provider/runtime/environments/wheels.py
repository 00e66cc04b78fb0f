"""Wheels in the store, so that no task needs an index.

What a lock names is fetched once, where the flow is deployed, checked against its hash and stored under it. A package that
has only a source archive for the platform is built there, and the wheel takes the archive's place in the lock.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from airflow_mlflow_provider.exception import InvalidEnvironmentException
from airflow_mlflow_provider.runtime.environments.lock import EnvironmentLock, LockedFile, LockedPackage
from airflow_mlflow_provider.runtime.environments.uv_program import UvFailed, required_uv, run_uv
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import REFRESH_SECONDS

if TYPE_CHECKING:
    import httpx

_DOWNLOADS = 8
_INDEX_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
)


def store_wheels(lock: EnvironmentLock, store: Store) -> EnvironmentLock:
    """Put all that a lock names into the store.

    Args:
        lock: The lock.
        store: The artifact store.

    Returns:
        The lock with wheels only.

    Raises:
        InvalidEnvironmentException: A file could not be fetched, does not have its hash, or cannot be built.
    """
    import httpx

    with (
        httpx.Client(verify=ssl.create_default_context(), follow_redirects=True, timeout=60) as client,
        ThreadPoolExecutor(_DOWNLOADS) as threads,
    ):

        def keep(platform: str, package: LockedPackage) -> LockedPackage:
            files = tuple(_stored(file, client, store, platform) for file in package.files)
            return msgspec.structs.replace(package, files=files)

        def keep_all(platform: str, packages: tuple[LockedPackage, ...]) -> tuple[LockedPackage, ...]:
            return tuple(threads.map(lambda package: keep(platform, package), packages))

        return msgspec.structs.replace(
            lock,
            packages={platform: keep_all(platform, found) for platform, found in lock.packages.items()},
            uv={platform: keep(platform, found) for platform, found in lock.uv.items()},
            stored=True,
        )


def _stored(file: LockedFile, client: httpx.Client, store: Store, platform: str) -> LockedFile:
    if file.is_wheel:
        if not _has(store, file):
            store.put(file.key, _content(file, client))
        return file
    built, data = _built(file, _content(file, client), platform)
    store.put(built.key, data)
    return built


def _has(store: Store, file: LockedFile) -> bool:
    """Whether the store has it, and no collection of garbage takes it before the lock is stored that names it."""
    found = store.info(file.key)
    return found is not None and time.time() - found.modified < REFRESH_SECONDS


def _content(file: LockedFile, client: httpx.Client) -> bytes:
    import httpx

    where = {"file": file.name, "url": file.url}
    try:
        if file.url.startswith("file:"):
            data = Path(unquote(urlsplit(file.url).path)).read_bytes()
        else:
            data = client.get(file.url, auth=_credentials(file.url)).raise_for_status().content
    except (httpx.HTTPError, OSError) as error:
        raise InvalidEnvironmentException(
            f"{file.name} could not be fetched: {error}", fix="Check the network and the index.", where=where
        ) from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise InvalidEnvironmentException(
            f"{file.name} does not have the hash that the index gave for it.",
            fix="Try again; if it stays so, the index or a proxy changes files.",
            where=where,
        )
    return data


def _credentials(url: str) -> httpx.BasicAuth | None:
    """Those of the configured index on the same host, as uv uses them."""
    import httpx

    host = urlsplit(url).hostname
    for index in _indexes():
        parts = urlsplit(index)
        if parts.hostname == host and parts.username is not None:
            return httpx.BasicAuth(unquote(parts.username), unquote(parts.password or ""))
    return None


def _indexes() -> Iterator[str]:
    for variable in _INDEX_VARIABLES:
        for index in os.environ.get(variable, "").split():
            # uv lets an index have a name, as in `name=https://…`.
            yield index if index.startswith("http") else index.partition("=")[2]


def _built(file: LockedFile, data: bytes, platform: str) -> tuple[LockedFile, bytes]:
    """The wheel that a source archive makes."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, file.name)
        archive.write_bytes(data)
        try:
            run_uv(required_uv(), ("build", "--quiet", "--wheel", "--out-dir", f"{folder}/out", str(archive)))
        except UvFailed as error:
            raise InvalidEnvironmentException(
                f"There is no wheel of {file.name} for {platform}, and it cannot be built: {error}",
                fix="Use a version that has a wheel.",
                where={"file": file.name},
            ) from None
        (wheel,) = Path(folder, "out").glob("*.whl")
        if not wheel.name.endswith("-none-any.whl"):
            raise InvalidEnvironmentException(
                f"There is no wheel of {file.name} for {platform}, and one built here runs on machines like this only.",
                fix="Use a version that has a wheel, or put a wheel into your own index.",
                where={"file": file.name},
            )
        content = wheel.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        return LockedFile(wheel.name, file.url, sha256, len(content)), content
