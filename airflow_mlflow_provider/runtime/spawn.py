"""Starting every task in an interpreter of its own, where forking is not safe.

Slower than :mod:`.zygote` by the start of an interpreter and the user's imports, and otherwise the same: one process and
one process group a task, the same channels, the same answers. A task process finds on its descriptors:

== ============================================================
0  the order: what to load (afterwards nothing)
1  its standard output
2  its standard error
3  the control socket, see :mod:`.assignment`
4  the lifeline: its other end is open as long as the supervisor lives; when it closes, the task kills its process group
== ============================================================
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.launching import ANSWER, ENDED, STARTED, Answers

_CONTROL, _LIFELINE = 3, 4
# Not `-m`: the flow's file becomes the module `__main__`, and this one stays what it is.
_PROGRAM = """
from airflow_mlflow_provider.runtime.process import end_process
from airflow_mlflow_provider.runtime.spawn import main
end_process(main)
"""
WITH_THIS_PACKAGE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
"""


class SpawnOrder(msgspec.Struct, frozen=True):
    """What a task process is to load.

    Attributes:
        manifest: The flow's manifest, as JSON.
        file: The flow's file.
        path: ``sys.path``; empty for what the interpreter has by itself.
    """

    manifest: bytes
    file: str
    path: list[str]


class Interpreter(msgspec.Struct, frozen=True):
    """What runs task processes.

    Attributes:
        executable: Path of Python.
        environ: Its environment variables.
        path: Its ``sys.path``; empty for what it has by itself.
    """

    executable: str
    environ: dict[str, str]
    path: list[str]


class SpawnLauncher:
    """Implements :class:`~airflow_mlflow_provider.runtime.supervisor.Launcher` with new interpreters.

    Args:
        interpreter: Of which Python; the one that runs this process by default.
    """

    def __init__(self, interpreter: Interpreter | None = None) -> None:
        self._interpreter = interpreter
        self._ours, self._theirs = socket.socketpair()
        self._answers = Answers(self._ours)
        self._lifeline, self._held = os.pipe()
        self._order: IO[bytes] | None = None
        self._waiters: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()
        self._closed = False

    def load(self, manifest: FlowManifest, file: Path) -> None:
        """Say what tasks are to load; called before the first task starts."""
        path = sys.path if self._interpreter is None else self._interpreter.path
        order = SpawnOrder(msgspec.json.encode(manifest), str(file), path)
        self._order = tempfile.NamedTemporaryFile(prefix="flow-order-")  # noqa: SIM115 - closed by close()
        self._order.write(msgspec.msgpack.encode(order))
        self._order.flush()

    def fileno(self) -> int:
        """The descriptor that becomes readable when an answer waits."""
        return self._ours.fileno()

    def fork(self, step: str, control: int, stdout: int, stderr: int) -> None:
        """Start a task process on these descriptors, which stay open here."""
        if self._order is None:
            raise RuntimeError("A task was started before it was said what to load.")
        # Every task reads the order from its beginning, so each opens the file anew.
        order = os.open(self._order.name, os.O_RDONLY)
        try:
            descriptors = [order, stdout, stderr, control, self._lifeline]
            if self._interpreter is not None:
                pid = spawn(self._interpreter, _PROGRAM, descriptors)
            else:
                own = Interpreter(sys.executable, dict(os.environ), sys.path)
                pid = spawn(own, WITH_THIS_PACKAGE + _PROGRAM, descriptors)
        finally:
            os.close(order)
        self._say(STARTED, pid, 0)
        waiter = threading.Thread(target=self._wait, args=(pid,), name=f"wait-{pid}", daemon=True)
        self._waiters[pid] = waiter
        waiter.start()

    def answers(self) -> list[tuple[bytes, int, int]] | None:
        """The answers that wait, after :meth:`fileno` became readable."""
        return self._answers.read()

    def close(self) -> None:
        """End all task processes. May be called again."""
        if self._closed:
            return
        self._closed = True
        waiters = dict(self._waiters)
        for pid in waiters:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        for waiter in waiters.values():
            waiter.join()
        os.close(self._held)
        os.close(self._lifeline)
        self._ours.close()
        self._theirs.close()
        if self._order is not None:
            self._order.close()

    def _wait(self, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        del self._waiters[pid]
        self._say(ENDED, pid, status)

    def _say(self, kind: bytes, pid: int, status: int) -> None:
        with self._lock, suppress(OSError):
            self._theirs.sendall(ANSWER.pack(kind, pid, status))


def spawn(interpreter: Interpreter, program: str, descriptors: list[int]) -> int:
    """Start a Python process, which leads a process group of its own.

    Args:
        interpreter: Which Python.
        program: Its source.
        descriptors: What become its descriptors 0, 1, 2 …

    Returns:
        Its process id.
    """
    # Copies above the targets, so that none is overwritten before it has been put in its place.
    copies = [_above(descriptor, len(descriptors)) for descriptor in descriptors]
    try:
        return os.posix_spawn(
            interpreter.executable,
            [interpreter.executable, "-c", program],
            interpreter.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, copy, target) for target, copy in enumerate(copies)],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGCHLD],
            setpgroup=0,
        )
    finally:
        for copy in copies:
            os.close(copy)


def _above(descriptor: int, lowest: int) -> int:
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)


def main() -> int:
    """What a task process runs.

    Returns:
        Its exit code.
    """
    from airflow_mlflow_provider.runtime.assignment import Report, send
    from airflow_mlflow_provider.runtime.child import EXIT_NO_RECORD, task_main
    from airflow_mlflow_provider.runtime.context import load_context
    from airflow_mlflow_provider.runtime.process import attach_streams

    threading.Thread(target=_end_with_the_supervisor, name="lifeline", daemon=True).start()
    with open(0, "rb", closefd=False) as stream:
        order = msgspec.msgpack.decode(stream.read(), type=SpawnOrder)
    attach_streams(os.dup(1), os.dup(2))
    control = socket.socket(fileno=_CONTROL)
    os.set_inheritable(_CONTROL, False)
    if order.path:
        sys.path[:] = order.path
    manifest = msgspec.json.decode(order.manifest, type=FlowManifest)
    try:
        context = load_context(Path(order.file), manifest)
    except BaseException:  # noqa: BLE001 - whatever the flow's file raises
        sys.stderr.write(traceback.format_exc())
        sys.stderr.flush()
        send(control, Report(store_error=f"the flow's file {order.file} could not be imported"))
        return EXIT_NO_RECORD
    return task_main(context, control)


def _end_with_the_supervisor() -> None:
    os.set_inheritable(_LIFELINE, False)
    os.read(_LIFELINE, 1)
    os.killpg(0, signal.SIGKILL)
