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
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_ANSWER = struct.Struct("!cii")
_DESCRIPTORS = 3

ChildMain = Callable[[socket.socket], int]


# A stream that owns its descriptor closes it when it is collected, and with it the new stream of that number.
_replaced_streams: list[object] = []


class Zygote:
    """The supervisor's end.

    Args:
        child_main: Runs in every forked task process with its control socket and returns the exit code.
        prepare: Runs once in the zygote before it serves, such as importing the flow.
    """

    def __init__(self, child_main: ChildMain, prepare: Callable[[], None] | None = None) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _serve_and_exit(theirs, ours, child_main, prepare)
        theirs.close()
        self._socket = ours
        self._buffer = b""

    def fileno(self) -> int:
        """The descriptor that becomes readable when an answer waits."""
        return self._socket.fileno()

    def fork(self, control: int, stdout: int, stderr: int) -> None:
        """Ask for a task process on these descriptors, which stay open here."""
        descriptors = array.array("i", [control, stdout, stderr])
        self._socket.sendmsg([b"F"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])

    def answers(self) -> list[tuple[bytes, int, int]] | None:
        """The answers that wait, after :meth:`fileno` became readable; ``None`` if the zygote is gone."""
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            return None
        if not data:
            return None
        self._buffer += data
        whole = len(self._buffer) // _ANSWER.size * _ANSWER.size
        answers, self._buffer = self._buffer[:whole], self._buffer[whole:]
        return list(_ANSWER.iter_unpack(answers))

    def close(self) -> None:
        """End the zygote and all of its children."""
        self._socket.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def fork_is_safe() -> bool:
    """Whether this process may be forked: only one Python thread, on a platform whose libraries survive it."""
    return sys.platform.startswith("linux") and threading.active_count() == 1


def _serve_and_exit(
    channel: socket.socket,
    other_end: socket.socket,
    child_main: ChildMain,
    prepare: Callable[[], None] | None,
) -> NoReturn:
    code = 1
    try:
        other_end.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if prepare is not None:
            prepare()
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

        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._wake_read in ready:
                    os.read(self._wake_read, 4096)
                    self._reap()
                if self._channel.fileno() in ready and not self._accept():
                    self._kill_all()
                    return 0

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
        self._channel.sendall(_ANSWER.pack(b"S", pid, 0))
        return True

    def _become_task(self, control: int, stdout: int, stderr: int) -> NoReturn:
        code = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
                signal.signal(
                    number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
                )
            self._channel.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            attach_streams(stdout, stderr)
            code = self._child_main(socket.socket(fileno=control))
        except BaseException:  # noqa: BLE001 - the process ends here; its last words go to the task's log
            os.write(2, traceback.format_exc().encode())
        finally:
            with suppress(Exception):
                sys.stdout.flush()
            with suppress(Exception):
                sys.stderr.flush()
            os._exit(code)

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
                self._channel.sendall(_ANSWER.pack(b"X", pid, status))

    def _kill_all(self) -> None:
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def attach_streams(stdout: int, stderr: int) -> None:
    """Make two descriptors this process's standard output and error, line buffered; standard input is empty."""
    _replaced_streams.extend(
        (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__)
    )
    empty = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((empty, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        if source > 2:
            os.close(source)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = open(  # noqa: SIM115 - lives as long as the process
            number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
