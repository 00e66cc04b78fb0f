"""The environments of a flow: locked where it is started or deployed, opened where its steps run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.environments.lock import EnvironmentLock, EnvironmentRequest, Locks
from airflow_mlflow_provider.runtime.environments.requests import environment_requests
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ledger import Ledger

Note = Callable[[str], None]


def lock_for_deployment(
    manifest: FlowManifest, flow_file: Path, store: Store, note: Note, *, with_wheels: bool = True
) -> FlowManifest:
    """Lock the environments of a flow for the platforms of its deployment; see :func:`lock_environments`.

    Args:
        manifest: The flow.
        flow_file: Its file.
        store: The artifact store.
        note: Is told what is done.
        with_wheels: Keep the wheels in the store, unless ``wheel_cache`` is off.

    Raises:
        InvalidEnvironmentException: The packages of a step cannot be met together.
    """
    if manifest.environment == "local":
        return manifest
    from airflow_mlflow_provider.configuration import get
    from airflow_mlflow_provider.runtime.environments.platforms import deployment_platforms

    platforms = deployment_platforms(get("environment_platforms"))
    in_store = with_wheels and bool(get("wheel_cache"))
    return lock_environments(manifest, flow_file, store, platforms, note, with_wheels=in_store)


def lock_environments(
    manifest: FlowManifest,
    flow_file: Path,
    store: Store,
    platforms: tuple[str, ...],
    note: Note,
    *,
    with_wheels: bool = False,
    before: Mapping[str, str] = MappingProxyType({}),
) -> FlowManifest:
    """Lock the environments of a flow's steps and store the locks.

    What was asked for before in this store has its lock already, which is used again: two runs of one flow have the same
    packages, also when an index has newer ones meanwhile. A run that goes on from another one has its locks, whatever platforms
    that was locked for besides.

    Args:
        manifest: The flow.
        flow_file: Its file.
        store: The artifact store.
        platforms: Platforms to lock for.
        note: Is told what takes time.
        with_wheels: Whether to put the wheels into the store as well.
        before: Locks of the run that is resumed or replayed, by step.

    Returns:
        The manifest with the lock of each step that has an environment.

    Raises:
        InvalidEnvironmentException: The packages of a step cannot be met together, a file could not be fetched, or uv is
            not installed.
    """
    pins: tuple[str, ...] = ()
    if manifest.environment == "uv":
        from airflow_mlflow_provider.runtime.environments.project import find_project

        pins = find_project(flow_file).pins()
    requests = environment_requests(manifest, platforms, pins)
    digests = {
        request: _locked(
            request, _steps_of(request, requests), flow_file.parent, store, note, with_wheels, before
        )
        for request in dict.fromkeys(requests.values())
    }
    locked = {step: digests[request] for step, request in requests.items()}
    return msgspec.structs.replace(manifest, environments=locked)


def build_environments(manifest: FlowManifest, store: Store, note: Note) -> None:
    """Build the environments of a flow's steps on this machine, those that it lacks.

    Raises:
        InvalidEnvironmentException: One cannot be built here.
        MetaflowDataMissing: The store has lost a lock.
    """
    from airflow_mlflow_provider.runtime.environments.building import environment_python

    locks = Locks(store)
    for digest in dict.fromkeys(manifest.environments.values()):
        steps = ", ".join(step for step, lock in manifest.environments.items() if lock == digest)
        told = functools.partial(note, f"Building the environment of {steps}")
        environment_python(locks.get(digest), store, told)


def environment_of(ledger: Ledger, manifest: FlowManifest, step: str) -> EnvironmentLock | None:
    """The lock of a step's environment, ``None`` for a step that runs in the interpreter at hand.

    Raises:
        MetaflowDataMissing: The lock is not in the store.
    """
    digest = manifest.environments.get(step)
    return None if digest is None else Locks(ledger.store).get(digest)


def _steps_of(request: EnvironmentRequest, requests: Mapping[str, EnvironmentRequest]) -> tuple[str, ...]:
    return tuple(step for step, other in requests.items() if other == request)


def _locked(
    request: EnvironmentRequest,
    steps: tuple[str, ...],
    folder: Path,
    store: Store,
    note: Note,
    with_wheels: bool,
    before: Mapping[str, str],
) -> str:
    locks = Locks(store)
    digests = dict.fromkeys(before[step] for step in steps if step in before)
    earlier = (lock for digest in digests if (lock := locks.find(digest)) is not None)
    known = next((lock for lock in earlier if lock.serves(request)), None) or locks.of_request(request)
    if known is not None and (known.stored or not with_wheels):
        return known.digest
    from airflow_mlflow_provider.runtime.environments.resolving import resolve
    from airflow_mlflow_provider.runtime.environments.wheels import store_wheels

    if known is None:
        note(f"Resolving the packages of {', '.join(steps)}")
    if known is None or (with_wheels and not known.uv):
        known = resolve(request, steps, folder, with_uv=with_wheels)
    if with_wheels:
        note(f"Storing the wheels of {', '.join(steps)}")
        known = store_wheels(known, store)
    return locks.put(known)
