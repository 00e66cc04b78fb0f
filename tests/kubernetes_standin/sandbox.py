"""Start one container process; run as a script, never imported by the server.

``python -I -S sandbox.py SPEC.json`` reads a launch specification and reports on the descriptor ``status_fd``, one
JSON object a line::

    {"event": "started", "pid": 4711}                the command was executed; pid as the server sees it
    {"event": "failed", "message": "…"}              it could not be
    {"event": "exited", "code": 3, "signal": 0}      it ended; ``signal`` is not 0 when a signal ended it

The launcher stays as the parent of the container. The kernel kills the launcher when the server dies, and the container
when the launcher dies; the container is process 1 of its own process namespace, so every process it left behind
dies with it. Its root is a throw-away overlay of this machine's root: what it writes outside its volumes is gone
afterwards, and absolute mount paths need not exist on this machine.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parent))
import linux  # type: ignore[import-not-found]

OLD_ROOT = "/.standin-old-root"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
NOT_CARRIED = ("/proc", "/sys", "/dev")


class StartError(Exception):
    """The command cannot be executed; the message is the user's."""


def main() -> int:
    """Launch what the specification says and report on it until it ends."""
    specification = json.loads(Path(sys.argv[1]).read_text())
    os.set_inheritable(specification["status_fd"], False)
    linux.process_control(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != specification["server_pid"]:
        return 1  # the server died before the line above took effect
    try:
        isolate(specification)
    except OSError as error:
        report(specification, event="failed", message=f"cannot isolate the container: {error}")
        return 1
    return supervise(specification)


def isolate(specification: dict[str, Any]) -> None:
    """Move the launcher where the container shall be; raises ``OSError`` where the kernel refuses."""
    if specification.get("enter_pid"):
        enter_namespaces(specification["enter_pid"])
    elif specification["isolation"] == "none":
        linux.process_control(linux.PR_SET_CHILD_SUBREAPER, 1)
    else:
        create_namespaces(specification["isolation"])


def create_namespaces(isolation: str) -> None:
    """Leave the machine's mounts, processes and host name; with ``user`` also its users."""
    if isolation == "user":
        user, group = os.getuid(), os.getgid()
        linux.unshare(linux.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWUTS)


def enter_namespaces(pid: int) -> None:
    """Join the namespaces of a running container, for ``exec``."""
    wanted = [("user", linux.CLONE_NEWUSER), ("pid", linux.CLONE_NEWPID), ("uts", linux.CLONE_NEWUTS)]
    wanted.append(("mnt", linux.CLONE_NEWNS))
    descriptors = []
    for name, flag in wanted:
        path = f"/proc/{pid}/ns/{name}"
        if Path(path).readlink() != Path(f"/proc/self/ns/{name}").readlink():
            descriptors.append((os.open(path, os.O_RDONLY | os.O_CLOEXEC), flag))
    for descriptor, flag in descriptors:
        linux.set_namespace(descriptor, flag)


def supervise(specification: dict[str, Any]) -> int:
    """Fork the container, report its start, wait for it and report its end."""
    alive_read, alive_write = os.pipe()
    error_read, error_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(alive_write)
        os.close(error_read)
        become_container(specification, alive_read, error_write)
    os.close(error_write)
    with os.fdopen(error_read) as errors:
        failure = errors.read()
    if failure:
        report(specification, event="failed", message=failure)
    else:
        report(specification, event="started", pid=child)
    _, wait_status = os.waitpid(child, 0)
    kill_leftovers()
    number = os.WTERMSIG(wait_status) if os.WIFSIGNALED(wait_status) else 0
    code = 128 + number if number else os.WEXITSTATUS(wait_status)
    report(specification, event="exited", code=code, signal=number)
    return 0


def kill_leftovers() -> None:
    """Without a process namespace, orphans of the container become ours: end them, and theirs."""
    while True:
        try:
            orphans = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
        except FileNotFoundError:  # another mount namespace's /proc: the kernel has ended them all
            return
        for orphan in orphans:
            os.kill(int(orphan), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def report(specification: dict[str, Any], **event: Any) -> None:
    """Write one line to the server."""
    os.write(specification["status_fd"], json.dumps(event).encode() + b"\n")


def become_container(specification: dict[str, Any], alive: int, errors: int) -> NoReturn:
    """In the child: build its world and execute the command; never returns."""
    try:
        linux.process_control(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([alive], [], [], 0)[0]:
            os._exit(1)  # the launcher died before the line above took effect
        os.setsid()
        if not specification.get("enter_pid") and specification["isolation"] != "none":
            linux.set_hostname(specification["hostname"])
            build_root(specification)
        if specification.get("tty"):
            import fcntl
            import termios

            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        execute(specification)
    except StartError as error:
        os.write(errors, str(error).encode())
    except BaseException:  # noqa: BLE001  (the last resort before _exit: nothing above can report it)
        import traceback

        os.write(errors, f"cannot build the container:\n{traceback.format_exc()}".encode())
    os._exit(128)


def build_root(specification: dict[str, Any]) -> None:
    """Private copy of ``/`` with its own /proc, /dev, /tmp, /run and the volumes; then pivot into it."""
    carried = machine_mounts()
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    scratch = Path(specification["scratch"])
    linux.mount("tmpfs", str(scratch), "tmpfs", options="mode=755")
    for name in ("upper", "work", "root"):
        (scratch / name).mkdir()
    if specification["isolation"] == "user":
        compose_root(scratch, carried)
        carried = []
    else:
        overlay(Path("/"), scratch / "upper", scratch / "work", scratch / "root")
    root = str(scratch / "root")
    Path(root + OLD_ROOT).mkdir()
    linux.pivot_root(root, root + OLD_ROOT)
    os.chdir("/")
    furnish(specification, carried)
    linux.unmount(OLD_ROOT, linux.MNT_DETACH)
    Path(OLD_ROOT).rmdir()
    if specification["read_only_root"]:
        for target in ["/", *specification["hide"]]:
            linux.mount("none", target, flags=linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)


def overlay(lower: Path, upper: Path, work: Path, target: Path, options: str = "") -> None:
    """Show ``lower`` at ``target``; changes go to ``upper``."""
    directories = f"lowerdir={lower},upperdir={upper},workdir={work}"
    linux.mount("overlay", str(target), "overlay", options=directories + options)


def compose_root(scratch: Path, carried: list[str]) -> None:
    """As an overlay of the whole root, but entry by entry: user namespaces may not overlay what has mounts below."""
    root = scratch / "root"
    linux.mount(str(root), str(root), flags=linux.MS_BIND)
    for entry in Path("/").iterdir():
        target = root / entry.name
        if entry.is_symlink():
            target.symlink_to(entry.readlink())
        elif not entry.is_dir() or any(below(point, str(entry)) for point in carried):
            bind(str(entry), str(target))
        else:
            target.mkdir()
            if str(entry) not in NOT_CARRIED:
                upper, work = scratch / "upper" / entry.name, scratch / "work" / entry.name
                upper.mkdir()
                work.mkdir()
                overlay(entry, upper, work, target, ",userxattr")


def machine_mounts() -> list[str]:
    """Mount points of this machine besides the root and the ones every container gets its own of."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [
        point
        for point in dict.fromkeys(points)
        if point != "/" and "\\" not in point and not any(below(point, top) for top in NOT_CARRIED)
    ]


def below(path: str, top: str) -> bool:
    """Whether ``path`` is ``top`` or inside it."""
    return path == top or path.startswith(top.rstrip("/") + "/")


def furnish(specification: dict[str, Any], carried: list[str]) -> None:
    """After the pivot: mount everything, sources seen below the old root, targets in the new one."""
    hidden = specification["hide"]
    for point in carried:
        if not any(below(point, top) for top in hidden) and os.path.lexists(OLD_ROOT + point):
            bind(OLD_ROOT + point, point)
    Path("/proc").mkdir(exist_ok=True)
    linux.mount("proc", "/proc", "proc")
    bind(f"{OLD_ROOT}/sys", "/sys")
    furnish_devices(specification["shm_bytes"])
    for top in hidden:
        Path(top).mkdir(parents=True, exist_ok=True)
        mode = "1777" if top.endswith("tmp") else "755"
        linux.mount("tmpfs", top, "tmpfs", options=f"mode={mode}")
    for path in specification["expose"]:
        if any(below(path, top) for top in hidden):
            bind(OLD_ROOT + path, path)
    for path, content in specification["files"].items():
        Path(path).write_text(content)
    for volume in specification["mounts"]:
        bind(OLD_ROOT + volume["source"], volume["target"], read_only=volume["read_only"])


def furnish_devices(shm_bytes: int) -> None:
    """A /dev with the usual nodes, terminals and shared memory."""
    Path("/dev").mkdir(exist_ok=True)
    linux.mount("tmpfs", "/dev", "tmpfs", options="mode=755")
    for name in DEVICES:
        bind(f"{OLD_ROOT}/dev/{name}", f"/dev/{name}")
    for link, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        Path("/dev", link).symlink_to(target)
    Path("/dev/pts").mkdir()
    linux.mount("devpts", "/dev/pts", "devpts", options="newinstance,ptmxmode=0666,mode=620")
    Path("/dev/ptmx").symlink_to("pts/ptmx")
    Path("/dev/shm").mkdir()
    linux.mount("tmpfs", "/dev/shm", "tmpfs", options=f"mode=1777,size={shm_bytes}")


def bind(source: str, target: str, read_only: bool = False) -> None:
    """Bind ``source`` at ``target``, which is made if it does not exist."""
    if Path(source).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(target):
            Path(target).touch()
    linux.mount(source, target, flags=linux.MS_BIND | linux.MS_REC)
    if read_only:
        linux.mount("none", target, flags=linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)


def execute(specification: dict[str, Any]) -> NoReturn:
    """Drop to the container's user, directory and environment, and become its command."""
    arguments, environment = specification["argv"], specification["env"]
    directory = specification["cwd"]
    if not Path(directory).is_dir():
        if specification.get("enter_pid"):
            raise StartError(
                f'chdir to cwd ("{directory}") set in config.json failed: no such file or directory'
            )
        Path(directory).mkdir(parents=True, exist_ok=True)
    os.chdir(directory)
    if specification["user"] is not None and os.getuid() == 0:
        os.setgroups(specification["groups"])
        os.setgid(specification["group"])
        os.setuid(specification["user"])
    program = find_program(arguments[0], environment.get("PATH", ""))
    if program is None:
        where = "no such file or directory" if "/" in arguments[0] else "executable file not found in $PATH"
        raise StartError(f'exec: "{arguments[0]}": {where}: unknown')
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a program inherits that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(program, arguments, environment)
    except OSError as error:
        raise StartError(
            f'exec: "{arguments[0]}": {os.strerror(error.errno or 0).lower()}: unknown'
        ) from error


def find_program(name: str, path: str) -> str | None:
    """The executable file a command names; None when there is none. ``shutil`` would double the launcher's imports."""
    candidates = (
        [name] if "/" in name else [f"{directory}/{name}" for directory in path.split(":") if directory]
    )
    for candidate in candidates:
        if Path(candidate).is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None


if __name__ == "__main__":
    sys.exit(main())
