"""A small process that owns server processes and never leaves one behind.

Run as a script (`python -I guardian.py DIRECTORY`), standard library only. `DIRECTORY/guardian.json` says what to start:
`{"processes": {name: [argument, …]}, "stop_signal": number, "remove": [folder, …]}`; the output of each process goes to
`DIRECTORY/<name>.log`, `stop_signal` is what asks them to end, and `remove` lists folders to delete after the end. The
guardian detaches from its caller, starts everything in sessions of their own, writes `DIRECTORY/processes.json` (its own process id under
`guardian`, then one per name) and `DIRECTORY/<name>.exited` with the exit code when one ends.

It stops everything when it is told to (SIGTERM), or when nobody uses the servers any more. Users hold a *shared* `flock` on
`DIRECTORY/lease`; the guardian waits for the exclusive one. The kernel drops the lock of a user that dies, however it
dies, so neither Ctrl-C nor `kill -9` of a test run leaves a server running. The guardian is a child subreaper: a grandchild
whose parent died becomes its child, so walking its process tree finds every process that there is to kill.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 8.0
POLL_SECONDS = 0.02


class Stopped(Exception):
    """Raised out of the wait for children by SIGTERM."""


def write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.rename(path)


def become_subreaper() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def stop_when_unused(lease: Path) -> None:
    """Send this process SIGTERM once nobody holds the lease; the exclusive lock is kept until the process ends."""

    def wait_for_lease() -> None:
        descriptor = os.open(lease, os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_lease, daemon=True).start()


def start(directory: Path, name: str, command: list[str]) -> int:
    with (directory / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    return process.pid


def wait_for_all(directory: Path, names: dict[int, str]) -> None:
    """Reap children, adopted ones included, and note the exit codes of ours, until told to stop.

    When all have ended there are still users, who will want to read why.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            signal.pause()
        else:
            note_exit(directory, names, pid, status)


def note_exit(directory: Path, names: dict[int, str], pid: int, status: int) -> None:
    if name := names.pop(pid, None):
        write_atomically(directory / f"{name}.exited", str(os.waitstatus_to_exitcode(status)))


def parents() -> dict[int, int]:
    """Process id to parent's process id, for everything that runs now."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended between the listing and the reading
            # The command name, in parentheses, may hold spaces and parentheses of its own.
            found[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    return found


def descendants(root: int) -> list[int]:
    parent_of = parents()
    found: list[int] = []
    generation = {root}
    while generation:
        generation = {pid for pid, parent in parent_of.items() if parent in generation}
        found.extend(generation)
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def stop_all(directory: Path, names: dict[int, str], stop_signal: signal.Signals) -> None:
    """A signal to the processes that were started, time to end in order, then KILL to whatever is left of the tree."""
    send(list(names), stop_signal)
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            note_exit(directory, names, pid, status)
            continue
        if not names or time.monotonic() > deadline:
            send(descendants(os.getpid()), signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def run(directory: Path) -> None:
    def on_terminate(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stopped

    become_subreaper()
    task = json.loads((directory / "guardian.json").read_text())
    names: dict[int, str] = {}
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        for name, command in task["processes"].items():
            names[start(directory, name, command)] = name
        pids = {"guardian": os.getpid()} | {name: pid for pid, name in names.items()}
        write_atomically(directory / "processes.json", json.dumps(pids))
        stop_when_unused(directory / "lease")
        wait_for_all(directory, names)
    except Stopped:
        pass  # asked to end: the clean-up below is all that is left to do
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (directory / "ready.json").unlink(missing_ok=True)
        stop_all(directory, names, signal.Signals(task["stop_signal"]))
        for folder in task["remove"]:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    directory = Path(sys.argv[1])
    if os.fork():
        os._exit(0)
    os.setsid()
    with (directory / "guardian.log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    run(directory)


if __name__ == "__main__":
    main()
