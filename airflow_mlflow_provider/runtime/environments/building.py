"""Building an environment on this machine from its lock, once for all tasks that share the lock.

The folder of an environment appears as a whole, by a rename, and only one process builds at a time: the others wait for a file
lock, which ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_mlflow_provider.exception import InvalidEnvironmentException
from airflow_mlflow_provider.runtime.environments.lock import EnvironmentLock, LockedPackage
from airflow_mlflow_provider.runtime.environments.platforms import this_platform
from airflow_mlflow_provider.runtime.environments.uv_program import UvFailed, installed_uv, run_uv
from airflow_mlflow_provider.runtime.machine_cache import machine_cache
from airflow_mlflow_provider.store.abc import Store

_NAME_DIGITS = 32


def environment_python(
    lock: EnvironmentLock, store: Store, on_build: Callable[[], None] = lambda: None
) -> Path:
    """The interpreter of an environment, which is built unless this machine has it.

    Args:
        lock: The environment's lock.
        store: The artifact store, which may have the wheels.
        on_build: Called before it is built.

    Raises:
        InvalidEnvironmentException: It cannot be built here: another platform, no such Python, no uv, no index.
        ObjectNotFound: The store has lost a wheel.
    """
    root = machine_cache("environments")
    folder = root / lock.digest[:_NAME_DIGITS]
    python = folder / "bin" / "python"
    if python.exists():
        return python
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root / f"{folder.name}.lock"):
        if not python.exists():
            on_build()
            # Its interpreter may have been removed.
            shutil.rmtree(folder, ignore_errors=True)
            fresh = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
            try:
                _build(lock, store, fresh)
                (fresh / "environment").rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return python


def _build(lock: EnvironmentLock, store: Store, fresh: Path) -> None:
    platform = this_platform()
    packages = lock.packages.get(platform)
    if packages is None:
        raise InvalidEnvironmentException(
            f"The environment was locked for {', '.join(lock.packages)}, and this machine is {platform}.",
            fix="Add the platform to environment_platforms and deploy the flow again.",
            where={"lock": lock.digest, "platform": platform},
        )
    uv = installed_uv() or _uv_of_store(lock, store, platform)
    environment = fresh / "environment"
    wheels = fresh / "wheels"
    if lock.stored:
        _fetch(packages, store, wheels)
    requirements = fresh / "requirements.txt"
    requirements.write_text("".join(_pinned(package) for package in packages), encoding="utf-8")
    try:
        _make(uv, lock, environment)
        _install(uv, environment, requirements, wheels if lock.stored else None)
    except UvFailed as error:
        raise InvalidEnvironmentException(
            f"The environment could not be built: {error}",
            fix="Check the index and the network, or deploy with wheel_cache = true.",
            where={"lock": lock.digest},
        ) from None


def _make(uv: str, lock: EnvironmentLock, environment: Path) -> None:
    python = lock.request.python
    own = ".".join(map(str, sys.version_info[:3]))
    chosen = sys.executable if f"{own}.".startswith(f"{python}.") else python
    try:
        run_uv(uv, ("venv", "--quiet", "--relocatable", "--no-project", "--python", chosen, str(environment)))
    except UvFailed as error:
        raise InvalidEnvironmentException(
            f"The environment needs Python {python}, and this machine has no such interpreter ({error}).",
            fix="Install it, use an image that has it, or write another python= in @pypi.",
            where={"lock": lock.digest, "python": python},
        ) from None


def _install(uv: str, environment: Path, requirements: Path, wheels: Path | None) -> None:
    arguments = ["pip", "install", "--quiet", "--python", str(environment / "bin" / "python"), "--no-deps"]
    arguments += ["--require-hashes", "--requirements", str(requirements)]
    if wheels is None:
        run_uv(uv, arguments)
        return
    # In a pod the home folder may be read-only; and files of one file system are linked, not copied.
    cache = {"UV_CACHE_DIR": str(machine_cache("uv"))}
    run_uv(
        uv, [*arguments, "--offline", "--no-config", "--no-index", "--find-links", str(wheels)], environ=cache
    )


def _pinned(package: LockedPackage) -> str:
    hashes = " ".join(f"--hash=sha256:{file.sha256}" for file in package.files)
    wanted = (
        f"{package.name} @ {package.files[0].url}" if package.direct else f"{package.name}=={package.version}"
    )
    return f"{wanted} {hashes}\n"


def _fetch(packages: tuple[LockedPackage, ...], store: Store, folder: Path) -> None:
    folder.mkdir()
    files = [file for package in packages for file in package.files]
    for file in files:
        (folder / file.name).write_bytes(store.get(file.key))


def _uv_of_store(lock: EnvironmentLock, store: Store, platform: str) -> str:
    """The uv that came with the lock: a program in a wheel."""
    package = lock.uv.get(platform)
    if package is None or not lock.stored:
        raise InvalidEnvironmentException(
            "Environments of steps are built by uv, which is not installed here.",
            fix="Install it with `pip install uv`, or deploy with wheel_cache = true, which brings it along.",
            where={"lock": lock.digest},
        )
    (file,) = package.files
    root = machine_cache("tools")
    program = root / f"uv-{file.sha256[:_NAME_DIGITS]}"
    if program.exists():
        return str(program)
    root.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=root))
    try:
        wheel = fresh / file.name
        wheel.write_bytes(store.get(file.key))
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
            (fresh / "uv").write_bytes(archive.read(member))
        (fresh / "uv").chmod(0o755)
        (fresh / "uv").rename(program)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return str(program)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
