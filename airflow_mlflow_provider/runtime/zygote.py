"""A process that forks task processes from a warm copy of the flow.

The zygote holds the interpreter with the flow's module imported, and nothing else: no threads, no store, no sockets but
one. Forking a task from it takes a few milliseconds instead of the second that a new interpreter and the user's
imports take, and each task still starts from the same untouched memory. The store's client (which runs threads that do
not survive a fork) is only ever used in the supervisor, beside the zygote, and in the tasks, below it.

Protocol, over one stream socket. The supervisor sends one byte with three descriptors (control, stdout, stderr) to ask
for a task; the zygote answers ``(b"S", pid, 0)``, and ``(b"X", pid, wait status)`` when that child has ended. When the
supervisor is gone the zygote kills its children and ends, so that nothing outlives a killed run.
"""

from __future__ import annotations

import array
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from airflow_mlflow_provider.runtime.launching import ANSWER, ENDED, STARTED, Answers
from airflow_mlflow_provider.runtime.process import attach_streams, end_process

_DESCRIPTORS = 3

ChildMain = Callable[[socket.socket], int]


class SocketLauncher:
    """The supervisor's end of a zygote.

    Args:
        channel: The socket to it.
        pid: Its process, a child of this one.
    """

    def __init__(self, channel: socket.socket, pid: int) -> None:
        self.pid = pid
        self._socket = channel
        self._answers = Answers(channel)

    def fileno(self) -> int:
        """The descriptor that becomes readable when an answer waits."""
        return self._socket.fileno()

    def fork(self, step: str, control: int, stdout: int, stderr: int) -> None:
        """Ask for a task process on these descriptors, which stay open here."""
        descriptors = array.array("i", [control, stdout, stderr])
        self._socket.sendmsg([b"F"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])

    def answers(self) -> list[tuple[bytes, int, int]] | None:
        """The answers that wait, after :meth:`fileno` became readable; ``None`` if the zygote is gone."""
        return self._answers.read()

    def close(self) -> None:
        """End the zygote and all of its children."""
        self._socket.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class Zygote(SocketLauncher):
    """A zygote forked from this process.

    Args:
        child_main: Runs in every forked task process with its control socket and returns the exit code.
        prepare: Runs once in the zygote before it serves, such as importing the flow.
    """

    def __init__(self, child_main: ChildMain, prepare: Callable[[], None] | None = None) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _become_zygote(theirs, ours, child_main, prepare)
        theirs.close()
        super().__init__(ours, pid)


def _become_zygote(
    channel: socket.socket,
    other_end: socket.socket,
    child_main: ChildMain,
    prepare: Callable[[], None] | None,
) -> NoReturn:
    try:
        other_end.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if prepare is not None:
            prepare()
        serve(channel, child_main)
    finally:
        os._exit(1)


def serve(channel: socket.socket, child_main: ChildMain) -> NoReturn:
    """Fork a task process whenever the other end of the socket asks for one, until it is closed; then end this process.

    Args:
        channel: The socket.
        child_main: Runs in every forked task process with its control socket and returns the exit code.
    """
    code = 1
    try:
        # What is alive now lives as long as the process: a collector that walked it in a task would copy its pages.
        gc.freeze()
        code = _Server(channel, child_main).run()
    finally:
        os._exit(code)


class _Server:
    def __init__(self, channel: socket.socket, child_main: ChildMain) -> None:
        self._channel = channel
        self._child_main = child_main
        self._children: set[int] = set()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def run(self) -> int:
        import selectors

        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._channel, selectors.EVENT_READ)
                selector.register(self._wake_read, selectors.EVENT_READ)
                while True:
                    ready = {key.fd for key, _ in selector.select()}
                    if self._wake_read in ready:
                        os.read(self._wake_read, 4096)
                        self._reap()
                    if self._channel.fileno() in ready and not self._accept():
                        return 0
        finally:
            # Also when the supervisor died while it was being answered.
            self._kill_all()

    def _accept(self) -> bool:
        data, ancillary, _, _ = self._channel.recvmsg(1, socket.CMSG_SPACE(_DESCRIPTORS * 4))
        if not data:
            return False
        descriptors = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
        pid = os.fork()
        if pid == 0:
            self._become_task(*descriptors)
        with suppress(OSError):
            os.setpgid(pid, pid)
        for descriptor in descriptors:
            os.close(descriptor)
        self._children.add(pid)
        self._channel.sendall(ANSWER.pack(STARTED, pid, 0))
        return True

    def _become_task(self, control: int, stdout: int, stderr: int) -> NoReturn:
        def main() -> int:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._channel.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            attach_streams(stdout, stderr)
            return self._child_main(socket.socket(fileno=control))

        end_process(main)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            with suppress(OSError):
                self._channel.sendall(ANSWER.pack(ENDED, pid, status))

    def _kill_all(self) -> None:
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
