"""The lock of an environment: which files of which packages, by hash, for each platform.

======================================  ===============================================================
key                                     object
======================================  ===============================================================
``environments/<digest>.json``          :class:`EnvironmentLock`
``environments/requests/<digest>``      digest of the lock that the request was resolved to first
``wheels/<sha256>/<file name>``         a wheel
======================================  ===============================================================
"""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from airflow_mlflow_provider.exception import CorruptedDataException, MetaflowDataMissing, ObjectNotFound
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import REFRESH_SECONDS
from airflow_mlflow_provider.store.hashing import digest_of

LOCK_VERSION = 1

EnvironmentKind = Literal["pypi", "uv"]


class EnvironmentRequest(msgspec.Struct, frozen=True):
    """What an environment is to hold.

    Attributes:
        kind: Where the requirements come from: ``pypi`` from decorators, ``uv`` from a project's ``uv.lock`` as well.
        python: Version of Python, such as ``3.11`` or ``3.11.9``.
        requirements: Requirements as of PEP 508, sorted.
        platforms: For which platforms, such as ``linux-x86_64``, sorted.
    """

    kind: EnvironmentKind
    python: str
    requirements: tuple[str, ...]
    platforms: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Equal requests have equal digests."""
        data = msgspec.json.encode(self)
        return digest_of([data], len(data))


class LockedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A wheel or a source archive.

    Attributes:
        name: File name.
        url: Where it was found.
        sha256: Hex digest of its content.
        size: Bytes; 0 if the index did not say.
    """

    name: str
    url: str
    sha256: str
    size: int = 0

    @property
    def key(self) -> str:
        """Where the store has it, if it is a wheel and was stored."""
        return f"wheels/{self.sha256}/{self.name}"

    @property
    def is_wheel(self) -> bool:
        """Whether it installs without being built."""
        return self.name.endswith(".whl")


class LockedPackage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of one package.

    Attributes:
        files: Its wheels for the platform; its source archive if there is none.
        direct: Whether it was asked for by URL.
    """

    name: str
    version: str
    files: tuple[LockedFile, ...]
    direct: bool = False


class EnvironmentLock(msgspec.Struct, frozen=True, omit_defaults=True):
    """An environment, resolved.

    Attributes:
        request: What was asked for.
        packages: What was found, by platform, dependencies included.
        uv: Wheels of uv itself by platform, for machines that lack it.
        stored: Whether all wheels are in the store.
    """

    request: EnvironmentRequest
    packages: dict[str, tuple[LockedPackage, ...]]
    uv: dict[str, LockedPackage] = {}
    stored: bool = False
    version: int = LOCK_VERSION

    @property
    def digest(self) -> str:
        """The name of the lock: the digest of its content."""
        data = encode_lock(self)
        return digest_of([data], len(data))

    def serves(self, request: EnvironmentRequest) -> bool:
        """Whether it is what a request asks for, on the request's platforms and perhaps on others."""
        asked = msgspec.structs.replace(self.request, platforms=request.platforms)
        return asked == request and set(request.platforms) <= set(self.packages)

    def versions(self, platform: str) -> dict[str, str]:
        """Version of each package on a platform."""
        return {package.name: package.version for package in self.packages.get(platform, ())}


def encode_lock(lock: EnvironmentLock) -> bytes:
    """A lock as JSON; equal locks give equal bytes."""
    return msgspec.json.encode(lock, order="deterministic")


class Locks:
    """The locks in a store.

    Args:
        store: The artifact store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, lock: EnvironmentLock) -> str:
        """Store a lock and remember it for its request; its digest."""
        digest = lock.digest
        self._store.put(f"environments/{digest}.json", encode_lock(lock))
        self._store.put(_request_key(lock.request), digest.encode())
        return digest

    def get(self, digest: str) -> EnvironmentLock:
        """A lock.

        Raises:
            MetaflowDataMissing: There is none with this digest.
            CorruptedDataException: It does not have its digest.
        """
        key = f"environments/{digest}.json"
        try:
            data = bytes(self._store.get(key))
        except ObjectNotFound:
            raise MetaflowDataMissing(
                f"The lock {digest} of an environment is not in {self._store.url}.",
                fix="Run or deploy the flow again, which resolves its environments anew.",
                where={"lock": digest},
            ) from None
        if digest_of([data], len(data)) != digest:
            raise CorruptedDataException(
                f"The lock {digest} of an environment is corrupted.",
                fix="Run or deploy the flow again, which resolves its environments anew.",
                where={"lock": digest, "key": key},
            )
        return msgspec.json.decode(data, type=EnvironmentLock)

    def of_request(self, request: EnvironmentRequest) -> EnvironmentLock | None:
        """What a request was resolved to before, ``None`` if it never was, or if nothing has used it for long.

        What is found is as good as written now: a collection of garbage leaves it alone until the run that asks is recorded.
        """
        try:
            return self.find(bytes(self._store.get(_request_key(request))).decode())
        except ObjectNotFound:
            return None

    def find(self, digest: str) -> EnvironmentLock | None:
        """A lock that is to be used again, ``None`` if it is not there any more; as young from now on as if it had been written."""
        try:
            lock = self.get(digest)
        except MetaflowDataMissing:
            return None
        self._keep_young(f"environments/{digest}.json", encode_lock(lock))
        for packages in lock.packages.values() if lock.stored else ():
            for file in (file for package in packages for file in package.files):
                self._keep_young(file.key)
        return lock

    def _keep_young(self, key: str, data: bytes | None = None) -> None:
        found = self._store.info(key)
        if found is not None and time.time() - found.modified >= REFRESH_SECONDS:
            self._store.put(key, self._store.get(key) if data is None else data)


def _request_key(request: EnvironmentRequest) -> str:
    return f"environments/requests/{request.digest}"
