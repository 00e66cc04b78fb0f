"""One container process: started through the sandbox launcher, watched, signalled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.kubernetes_standin.container_log import ContainerLog

SANDBOX = Path(__file__).with_name("sandbox.py")
ISOLATIONS = ("full", "user", "none")
SHARED_MEMORY_BYTES = 64 * 1024 * 1024
HIDDEN = ("/tmp", "/var/tmp", "/run", "/root", "/home")


class StartFailed(Exception):
    """The command could not be executed; the message says why."""


@dataclass(frozen=True)
class Mount:
    """A file or directory of this machine, and where the container sees it."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Launch:
    """All a container process needs to know; JSON for the launcher."""

    argv: list[str]
    env: dict[str, str]
    cwd: str = "/"
    isolation: str = "full"
    hostname: str = "localhost"
    scratch: str = ""
    read_only_root: bool = False
    hide: tuple[str, ...] = HIDDEN
    expose: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    shm_bytes: int = SHARED_MEMORY_BYTES
    user: int | None = None
    group: int = 0
    groups: tuple[int, ...] = ()
    enter_pid: int | None = None
    tty: bool = False


@dataclass(frozen=True)
class Exit:
    """How a process ended; a signal gives the code 128 + its number."""

    code: int
    signal: int


class ContainerProcess:
    """A running container. Make one with ``start``."""

    def __init__(self, launcher: subprocess.Popen[bytes], reports: asyncio.StreamReader) -> None:
        self._launcher = launcher
        self._reports = reports
        self._pidfd: int | None = None
        self.pid = 0
        self.ended = asyncio.Event()

    @classmethod
    async def start(
        cls, launch: Launch, specification_file: Path, *, stdin: int, stdout: int, stderr: int
    ) -> ContainerProcess:
        """Execute the command with these descriptors. Raises ``StartFailed``."""
        reports_read, reports_write = os.pipe()
        specification = {**asdict(launch), "status_fd": reports_write, "server_pid": os.getpid()}
        specification_file.touch(mode=0o600)
        specification_file.write_text(json.dumps(specification))
        try:
            launcher = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SANDBOX), str(specification_file)],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[reports_write],
                start_new_session=True,
                env={},
            )
        finally:
            os.close(reports_write)
        process = cls(launcher, await open_reader(reports_read))
        await process._await_start()
        return process

    async def _await_start(self) -> None:
        line = await self._reports.readline()
        report: dict[str, Any] = (
            json.loads(line) if line else {"event": "failed", "message": "the launcher died"}
        )
        if report["event"] != "started":
            await self._reports.read()
            self._launcher.wait()
            raise StartFailed(report["message"])
        self.pid = report["pid"]
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._pidfd = None  # it has ended and been reaped already: nothing to signal

    async def wait(self) -> Exit:
        """Wait for the end of the process, and of everything it started. Call it once."""
        line = await self._reports.readline()
        self._launcher.wait()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self.ended.set()
        if not line:  # the launcher itself was killed
            return Exit(128 + signal.SIGKILL, signal.SIGKILL)
        report = json.loads(line)
        return Exit(report["code"], report["signal"])

    def send_signal(self, number: int) -> None:
        """Signal the container's first process; nothing happens when it has ended."""
        if self._pidfd is None:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return  # it ended before its launcher told us


async def open_reader(descriptor: int) -> asyncio.StreamReader:
    """An asyncio reader on the reading end of a pipe, which it closes at the end."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0))
    return reader


async def start_logged(
    launch: Launch, specification_file: Path, log: ContainerLog
) -> tuple[ContainerProcess, asyncio.Task[None]]:
    """Start a container whose output and errors go to ``log``; also gives the task that writes the log."""
    output_read, output_write = os.pipe()
    try:
        process = await ContainerProcess.start(
            launch, specification_file, stdin=subprocess.DEVNULL, stdout=output_write, stderr=output_write
        )
    except StartFailed:
        os.close(output_read)
        raise
    finally:
        os.close(output_write)
    return process, asyncio.create_task(log.consume(await open_reader(output_read)))


async def probe_isolation(directory: Path) -> str:
    """The strongest isolation this machine permits: ``full`` (root), ``user`` (user namespaces) or ``none``."""
    scratch = directory / "probe"
    scratch.mkdir(parents=True, exist_ok=True)
    for isolation in ISOLATIONS:
        launch = Launch(argv=["/bin/true"], env={}, isolation=isolation, scratch=str(scratch))
        try:
            process = await ContainerProcess.start(
                launch, directory / "probe.json",
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except StartFailed:
            continue
        await process.wait()
        return isolation
    raise RuntimeError("cannot start any process: /bin/true failed without isolation")
