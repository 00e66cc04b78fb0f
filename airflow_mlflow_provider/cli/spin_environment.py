"""``spin`` of a step that has packages of its own: the same command once more, in the interpreter of the step's environment."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import msgspec

from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.environments.building import environment_python
from airflow_mlflow_provider.runtime.environments.interpreter import environment_variables
from airflow_mlflow_provider.runtime.environments.lock import Locks
from airflow_mlflow_provider.runtime.environments.locking import lock_environments
from airflow_mlflow_provider.runtime.environments.platforms import this_platform
from airflow_mlflow_provider.runtime.spin import spin_store
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

# Says to the command that it runs in the environment with this lock.
_VARIABLE = "MLFLOW_PROVIDER_SPIN_LOCK"


def in_environment(
    session: Session, manifest: FlowManifest, ledger: Ledger, task: AttemptKey, folder: Path | None
) -> FlowManifest:
    """The manifest of a spin in the environment of its step; returns there, and not in the process that called it.

    The process becomes that of the environment's interpreter, so that a debugger still has the terminal. The store of the past run is
    only read: a new lock goes where the result does.

    Args:
        session: The invocation.
        manifest: The flow.
        ledger: The records of the past run.
        task: The past task, whose run's locks are used where they are what the step asks for now.
        folder: Where the result is kept, ``None`` if it is not.

    Raises:
        InvalidEnvironmentException: The packages of a step cannot be met together, or its environment cannot be built here.
    """
    digest = os.environ.pop(_VARIABLE, None)
    if digest is not None:
        return msgspec.structs.replace(manifest, environments={task.step: digest})
    with ExitStack() as stack:
        kept = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spin-")))
        store = spin_store(kept, ledger)
        before = ledger.run(task.flow, task.run).environments
        platforms = (this_platform(),)
        locked = lock_environments(manifest, session.file, store, platforms, session.note, before=before)
        digest = locked.environments.get(task.step)
        told = functools.partial(session.note, f"Building the environment of {task.step}")
        python = environment_python(Locks(store).get(digest), store, told) if digest else None
    if digest and python:
        _become(python, session.file, digest)
    return manifest


def _become(python: Path, file: Path, digest: str) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    environ = {**environment_variables(python), _VARIABLE: digest}
    os.execve(python, [str(python), str(file), *sys.argv[1:]], environ)  # noqa: S606 - no shell is wanted
