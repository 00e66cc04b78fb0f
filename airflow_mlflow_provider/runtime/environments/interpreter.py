"""The processes of steps in another interpreter than this one: that of their environment, or a new and small one.

Such an interpreter imports the flow's file and then forks a process for each task, exactly as
:mod:`~airflow_mlflow_provider.runtime.zygote` does; a wide foreach costs one start, not one a split. Where
forking is not safe, each task starts its own (:mod:`~airflow_mlflow_provider.runtime.spawn`).

In an environment, importable are its packages, the flow's folder and this package, for which a folder is made that holds
nothing else. The interpreter finds on its descriptors: 0 the order, 3 its end of the zygote's socket.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.launching import Launcher, new_process_forks
from airflow_mlflow_provider.runtime.machine_cache import machine_cache
from airflow_mlflow_provider.runtime.spawn import (
    WITH_THIS_PACKAGE,
    Interpreter,
    SpawnLauncher,
    SpawnOrder,
    spawn,
)
from airflow_mlflow_provider.runtime.zygote import SocketLauncher, serve

_CHANNEL = 3
_MAIN = """
from airflow_mlflow_provider.runtime.environments.interpreter import main
main()
"""
_PROGRAM = f"""
import sys
sys.path[:] = [folder for folder in sys.path if folder]
{_MAIN}
"""
_LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__", "CONDA_PREFIX")


def environment_launcher(python: Path, manifest: FlowManifest, file: Path) -> Launcher:
    """What starts the tasks of a flow in an environment.

    Args:
        python: The environment's interpreter.
        manifest: The flow.
        file: The flow's file.
    """
    interpreter = Interpreter(str(python), environment_variables(python), [])
    if new_process_forks():
        return InterpreterZygote(interpreter, manifest, file)
    launcher = SpawnLauncher(interpreter)
    launcher.load(manifest, file)
    return launcher


def small_launcher(manifest: FlowManifest, file: Path) -> Launcher:
    """What starts the tasks of a flow from a new process of this Python, which has imported nothing but the flow.

    The memory of this process, of which a fork copies the page tables and then each page that is touched, is none of theirs.

    Args:
        manifest: The flow.
        file: The flow's file.
    """
    return InterpreterZygote(Interpreter(sys.executable, dict(os.environ), sys.path), manifest, file)


class InterpreterZygote(SocketLauncher):
    """A zygote in another interpreter than this one.

    Args:
        interpreter: Which one.
        manifest: The flow.
        file: The flow's file.
    """

    def __init__(self, interpreter: Interpreter, manifest: FlowManifest, file: Path) -> None:
        ours, theirs = socket.socketpair()
        order = SpawnOrder(msgspec.json.encode(manifest), str(file), interpreter.path)
        program = WITH_THIS_PACKAGE + _MAIN if interpreter.path else _PROGRAM
        with tempfile.TemporaryFile(prefix="flow-order-") as written, theirs:
            written.write(msgspec.msgpack.encode(order))
            written.seek(0)
            pid = spawn(interpreter, program, [written.fileno(), 1, 2, theirs.fileno()])
        super().__init__(ours, pid)


def main() -> NoReturn:
    """What the interpreter runs."""
    from airflow_mlflow_provider.runtime.assignment import Report, send
    from airflow_mlflow_provider.runtime.child import EXIT_NO_RECORD, preload, task_main
    from airflow_mlflow_provider.runtime.context import load_context

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=_CHANNEL)
    os.set_inheritable(_CHANNEL, False)
    with open(0, "rb", closefd=False) as stream:
        order = msgspec.msgpack.decode(stream.read(), type=SpawnOrder)
    if order.path:
        sys.path[:] = order.path
    manifest = msgspec.json.decode(order.manifest, type=FlowManifest)
    preload(manifest.store)
    try:
        context = load_context(Path(order.file), manifest)
    except BaseException:  # noqa: BLE001 - whatever the flow's file raises, each task says it
        told = traceback.format_exc()

        def refuse(control: socket.socket) -> int:
            sys.stderr.write(told)
            sys.stderr.flush()
            last = told.rstrip().rpartition("\n")[2]
            error = f"the flow's file {order.file} could not be imported where the step runs: {last}"
            send(control, Report(store_error=error))
            return EXIT_NO_RECORD

        serve(channel, refuse)
    serve(channel, lambda control: task_main(context, control))


def environment_variables(python: Path) -> dict[str, str]:
    """The environment variables of a process in an environment.

    Args:
        python: The environment's interpreter.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    environ["PYTHONPATH"] = str(_home_of_this_package())
    environ["PYTHONNOUSERSITE"] = "1"
    environ["VIRTUAL_ENV"] = str(python.parent.parent)
    environ["PATH"] = os.pathsep.join([str(python.parent), environ.get("PATH", os.defpath)])
    return environ


def _home_of_this_package() -> Path:
    """A folder or archive with this package and nothing else, for ``sys.path``."""
    package = Path(__file__).resolve().parents[2]
    if package.parent.is_file():
        return package.parent
    if [entry.name for entry in package.parent.iterdir()] == [package.name]:
        return package.parent
    digest = hashlib.sha256(os.fsencode(package)).hexdigest()[:16]
    home = machine_cache("package") / digest
    home.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        (home / package.name).symlink_to(package)
    return home
