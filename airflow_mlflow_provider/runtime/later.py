"""Task processes of a flow that is not known yet.

A fork is cheap and safe only before this process opens a store, and only the store knows what is to be run. So a zygote is
forked first, and told later what to import; what every task imports it imports meanwhile.
"""

from __future__ import annotations

import atexit
import os
import socket
import traceback
from pathlib import Path
from typing import Protocol

import msgspec

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.assignment import receive, send
from airflow_mlflow_provider.runtime.child import preload, task_main
from airflow_mlflow_provider.runtime.context import FlowContext, load_context
from airflow_mlflow_provider.runtime.launching import Launcher, start_method
from airflow_mlflow_provider.runtime.zygote import Zygote


class LaterLauncher(Protocol):
    """Starts task processes once it has been told of which flow."""

    @property
    def launcher(self) -> Launcher:
        """What starts them."""
        ...

    def load(self, manifest: FlowManifest, file: Path) -> None:
        """Say which flow it is.

        Raises:
            MetaflowException: Its file could not be imported; the traceback is in the message.
        """
        ...

    def close(self) -> None:
        """End all task processes."""
        ...


class LoadOrder(msgspec.Struct, frozen=True):
    """What a zygote is to import."""

    manifest: bytes
    file: str


class LoadReport(msgspec.Struct, frozen=True):
    """How the import went; ``error`` holds the traceback of one that failed."""

    error: str = ""


def later_launcher(store: str | None = None) -> LaterLauncher:
    """Forks the zygote, or, where that is not safe, starts each task in an interpreter of its own.

    Args:
        store: URL of the artifact store, if that is known already.
    """
    return _Forked(store) if start_method() == "fork" else _Spawned()


class _Forked:
    def __init__(self, store: str | None) -> None:
        ours, theirs = socket.socketpair()
        contexts: list[FlowContext] = []

        def prepare() -> None:
            ours.close()
            # What this process has registered for its own end is not for the ends of tasks.
            atexit._clear()
            _load_as_ordered(theirs, contexts, store)

        self.launcher: Launcher = Zygote(lambda control: task_main(contexts[0], control), prepare)
        theirs.close()
        self._channel = ours

    def load(self, manifest: FlowManifest, file: Path) -> None:
        send(self._channel, LoadOrder(msgspec.json.encode(manifest), str(file)))
        report = receive(self._channel, LoadReport)
        error = "the process died" if report is None else report.error
        if error:
            raise MetaflowException(
                f"The flow's file {manifest.code.script} could not be imported:\n{error}",
                fix="Correct the file, or install what it imports where the step runs.",
                where={"flow": manifest.flow_name},
            )

    def close(self) -> None:
        self._channel.close()
        self.launcher.close()


class _Spawned:
    def __init__(self) -> None:
        from airflow_mlflow_provider.runtime.spawn import SpawnLauncher

        self._spawning = SpawnLauncher()
        self.launcher: Launcher = self._spawning

    def load(self, manifest: FlowManifest, file: Path) -> None:
        self._spawning.load(manifest, file)

    def close(self) -> None:
        self._spawning.close()


def _load_as_ordered(channel: socket.socket, contexts: list[FlowContext], store: str | None) -> None:
    # While the order is on its way.
    import airflow_mlflow_provider.runtime.task  # noqa: F401

    if store is not None:
        preload(store)
    order = receive(channel, LoadOrder)
    if order is None:
        os._exit(0)
    manifest = msgspec.json.decode(order.manifest, type=FlowManifest)
    if store is None:
        preload(manifest.store)
    try:
        context = load_context(Path(order.file), manifest)
    except BaseException:  # noqa: BLE001 - the traceback travels to the supervisor
        send(channel, LoadReport(traceback.format_exc()))
        os._exit(0)
    contexts.append(context)
    send(channel, LoadReport())
