"""What a warm pod runs: a process that stands until nobody has needed it for a while, and takes one step at a time.

Two programs are made of this file, and neither has anything but the standard library:

* The pod's own command ends with ``stand(idle_s)``.
* For each step a command is executed in the pod that reads one line from its standard input, JSON with ``program`` (this file
  and a call of :func:`take`), ``bootstrap`` (what any other pod starts with) and ``launch``. Nothing more is sent. The end of
  the input means that nobody waits for the step any more: its worker was ended, or lost.

A lock, held by the command as long as it lives, lets one step in at a time; the kernel releases it whatever happens. Each
step gets a process of its own, and none of its processes outlives it. What ends the pod holds the lock, too, so no step is
ever let into a pod that is about to go.

Exit code of its own: 75 if another step has the pod.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

BUSY = 75
# The pod looks this often whether it is idle, and for so short a time it may look taken.
LOOK_S = 1.0
PATIENCE_S = 0.3
# What a step has to clean up when nobody waits for it any more.
GRACE_S = 10.0
SET_CHILD_SUBREAPER = 36
SET_PARENT_DEATH_SIGNAL = 1


def open_lock() -> int:
    """Open the file whose lock a step holds, and whose time is that of the last step."""
    root = os.environ.get("AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR") or tempfile.gettempdir()
    folder = Path(root) / f"airflow_mlflow_provider-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(str(folder / "warm.lock"), os.O_RDWR | os.O_CREAT, 0o600)


def is_locked_by_me(lock: int) -> bool:
    """Try to take the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def end_children() -> None:
    """Kill all child processes; those whose parents have died are children of this one."""
    while True:
        own = os.getpid()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and parent_of(entry) == own:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(entry.name), signal.SIGKILL)
        try:
            # One that is gone may have left children, which are ours now.
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def parent_of(entry: Path) -> int:
    """The parent of a process, 0 for one that is gone."""
    try:
        return int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def control(option: int, value: int) -> None:
    """Ask the kernel for one of the two things that Python has no name for."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def stand(idle_s: float) -> NoReturn:
    """Wait until no step has come for ``idle_s`` seconds; asked to leave, go once no step runs."""
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    lock = open_lock()
    os.utime(lock)
    leaving = False
    while True:
        leaving = signal.sigtimedwait(signals, LOOK_S) is not None or leaving
        if not is_locked_by_me(lock):
            continue
        end_children()
        if leaving or time.time() - os.fstat(lock).st_mtime > idle_s:
            sys.exit(0)
        fcntl.flock(lock, fcntl.LOCK_UN)


def take(bootstrap: str, launch: dict[str, Any]) -> NoReturn:
    """Run a step if no other one runs, and end with its exit code."""
    lock = open_lock()
    give_up = time.monotonic() + PATIENCE_S
    while not is_locked_by_me(lock):
        if time.monotonic() > give_up:
            sys.exit(BUSY)
        time.sleep(0.02)
    os.utime(lock)
    control(SET_CHILD_SUBREAPER, 1)
    child_ended, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    child = os.fork()
    if child == 0:
        control(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(lock)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["-c", json.dumps(launch)]
        exec(bootstrap, {"__name__": "__main__"})  # noqa: S102 - it is ours, and the worker sent it
        sys.exit(0)
    status = wait_for(child, child_ended)
    end_children()
    os.utime(lock)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


def wait_for(child: int, child_ended: int) -> int:
    """Wait for the step's process; end it when nobody waits for it any more."""
    watched = [0, child_ended]
    kill_at: float | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        pause = None if kill_at is None else max(kill_at - time.monotonic(), 0.05)
        readable = select.select(watched, [], [], pause)[0]
        if child_ended in readable:
            os.read(child_ended, 4096)
        if 0 in readable and not os.read(0, 4096):
            watched = [child_ended]
            kill_at = time.monotonic() + GRACE_S
            os.kill(child, signal.SIGTERM)
        if kill_at is not None and time.monotonic() >= kill_at:
            os.kill(child, signal.SIGKILL)
