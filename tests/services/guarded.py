"""A server for tests that is started once, shared by whoever asks for it, and gone when the last user is.

The mechanism is a lease on a directory, kept by the kernel: see `guardian.py`.
"""

import contextlib
import fcntl
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from tests.services.waiting import wait_until

LAUNCH_SECONDS = 30.0
STOP_SECONDS = 30.0
# Below Linux's range for outgoing connections, so that no client of the machine takes the port before the server does.
SERVER_PORTS = (20_000, 32_000)


def free_port() -> int:
    """A TCP port on the loopback address that nothing listens on now, chosen at random."""
    while True:
        port = random.randint(*SERVER_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class GuardedService(ABC):
    """Processes that serve, in a directory of their own, under the watch of a guardian.

    Args:
        directory: where logs and data live. Services of several test processes that name the same directory are *one* service,
            started by the first and stopped after the last. Without a directory the service is private: it
            gets a temporary one, and `stop` returns when all its processes are gone and the directory is removed.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.private = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lease: int | None = None

    @abstractmethod
    def _launch(self) -> dict[str, Any]:
        """Start the processes with `_guard`, wait until they serve, and return what `_joined` needs to know (JSON)."""

    @abstractmethod
    def _joined(self, facts: dict[str, Any]) -> None:
        """Take over what the process that launched the service found out; called in every user, the launcher too."""

    def start(self) -> Self:
        """Join the service if it runs already, else launch it; returns once it serves.

        Raises:
            AssertionError: it did not come up in time, or one of its processes ended; the message holds the end of the logs.
        """
        self._lease = self._take_lease()
        ready = self.directory / "ready.json"
        try:
            with self._locked("start.lock"):
                if not ready.exists():
                    partial = ready.with_name("ready.partial")
                    partial.write_text(json.dumps(self._launch()))
                    partial.rename(ready)
            self._joined(json.loads(ready.read_text()))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop using the service; a private one ends now, a shared one when its last user stops. Harmless when repeated."""
        if self._lease is None:
            return
        pids = self._pids()
        os.close(self._lease)
        self._lease = None
        if self.private:
            if pids:
                terminate(pids["guardian"])
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def process_id(self, name: str) -> int:
        """The process id of one of the service's processes.

        Raises:
            KeyError: the service has no process of that name, or is not running.
        """
        return self._pids()[name]

    def check_alive(self) -> bool:
        """True while every process of the service runs.

        Raises:
            AssertionError: one has ended; the message names it and holds the end of its log.
        """
        for name in self._pids():
            exited = self.directory / f"{name}.exited"
            if exited.exists():
                raise AssertionError(
                    f"{name} ended with exit code {exited.read_text()}:\n{self.log_tail(name)}"
                )
        return True

    def log_tail(self, name: str, lines: int = 40) -> str:
        """The last lines of what a process of the service has printed."""
        path = self.directory / f"{name}.log"
        return (
            "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"
        )

    def _guard(
        self,
        processes: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        remove: Sequence[Path] = (),
    ) -> None:
        for stale in (*self.directory.glob("*.exited"), self.directory / "processes.json"):
            stale.unlink(missing_ok=True)
        task = {
            "processes": {name: list(command) for name, command in processes.items()},
            "stop_signal": int(stop_signal),
            "remove": [str(folder) for folder in (*remove, *([self.directory] if self.private else []))],
        }
        (self.directory / "guardian.json").write_text(json.dumps(task))
        guardian = [sys.executable, "-I", str(Path(__file__).with_name("guardian.py")), str(self.directory)]
        subprocess.run(guardian, env=dict(environment), cwd=self.directory, check=True)
        wait_until(
            self._pids, LAUNCH_SECONDS, lambda: f"{list(processes)} to start\n{self.log_tail('guardian')}"
        )

    def _pids(self) -> dict[str, int]:
        path = self.directory / "processes.json"
        pids: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        return pids

    def _take_lease(self) -> int:
        # A guardian that is stopping holds the exclusive lock until it has gone, so this also waits for that.
        descriptor = os.open(self.directory / "lease", os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return descriptor

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.directory / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def wait_for_end(pid: int, timeout: float = STOP_SECONDS) -> None:
    """Wait until a process that need not be our child has ended.

    Raises:
        AssertionError: it still runs after `timeout` seconds.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], timeout)
    finally:
        os.close(descriptor)
    assert ended, f"process {pid} still runs {timeout:g} s after it was told to end"


def terminate(pid: int) -> None:
    """Send SIGTERM to a process that may have ended already, and wait until it has."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    wait_for_end(pid)
