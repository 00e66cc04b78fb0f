"""A private PostgreSQL server with a migrated Airflow database to copy."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

from tests.services.airflow_database import cache_directory, locked, migrate, template_name
from tests.services.guarded import GuardedService, free_port
from tests.services.postgres_programs import (
    as_server_user,
    ensure_postgres,
    give_to_server_user,
    postgres_environment,
    run_as_server_user,
    server_user,
)
from tests.services.waiting import wait_until

START_SECONDS = 60.0
USER = "airflow"
AIRFLOW_TEMPLATE = "airflow_template"
# Speed instead of durability: after a crash of the machine nobody wants these data back.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


class PostgresServer(GuardedService):
    """A PostgreSQL server on a free loopback port, without passwords; a context manager.

    It refuses to run as root; if this process is root, the server runs as the user `postgres`, or `nobody`.

    Args:
        directory: see `GuardedService`.
        programs: the folder of the server's programs; `ensure_postgres` finds it by default.
    """

    port: int

    def __init__(self, directory: Path | None = None, *, programs: Path | None = None) -> None:
        super().__init__(directory)
        self._programs = programs

    def airflow_database(self, name: str | None = None) -> str:
        """SQLAlchemy's URL of a migrated, empty Airflow database; one of that name that exists already is taken as it is."""
        name = name or f"airflow_{uuid.uuid4().hex[:12]}"
        with self._locked("databases.lock"):
            if not execute(self.port, "SELECT 1 FROM pg_database WHERE datname = %s", name):
                execute(self.port, f'CREATE DATABASE "{name}" TEMPLATE {AIRFLOW_TEMPLATE}')
        return database_url(self.port, name)

    def _launch(self) -> dict[str, Any]:
        with reachable(self._programs or ensure_postgres()) as (programs, copies):
            # Outside of `directory`: pytest closes its temporary folders to other users, the server's among them.
            data = Path(tempfile.mkdtemp(prefix="postgres-"))
            shutil.copytree(airflow_template(programs), data, dirs_exist_ok=True)
            give_to_server_user(data)
            port = free_port()
            command: list[str | Path] = [
                programs / "postgres",
                "-D",
                data,
                "-p",
                str(port),
                *server_options(),
            ]
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for the clients to leave.
            self._guard(
                {"postgres": as_server_user(command)},
                postgres_environment(),
                stop_signal=signal.SIGINT,
                remove=[data, *copies],
            )
        wait_until(
            lambda: self.check_alive() and answers(port),
            START_SECONDS,
            lambda: f"PostgreSQL to answer\n{self.log_tail('postgres')}",
        )
        return {"port": port}

    def _joined(self, facts: dict[str, Any]) -> None:
        self.port = facts["port"]


def database_url(port: int, name: str) -> str:
    """SQLAlchemy's URL of a database of a server on this machine."""
    return f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/{name}"


def server_options() -> list[str]:
    """`SETTINGS` as arguments of `postgres`."""
    return [option for name, value in SETTINGS.items() for option in ("-c", f"{name}={value}")]


def execute(port: int, statement: str, *values: str) -> list[tuple[Any, ...]]:
    """Run one SQL statement in the database `postgres`, outside of a transaction; the rows it gives."""
    connection = psycopg2.connect(
        host="127.0.0.1", port=port, user=USER, dbname="postgres", connect_timeout=5
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
            return rows
    finally:
        connection.close()


def answers(port: int) -> bool:
    """Whether a server takes connections on the port by now."""
    try:
        return bool(execute(port, "SELECT 1"))
    except psycopg2.OperationalError:
        return False


@contextlib.contextmanager
def reachable(programs: Path) -> Iterator[tuple[Path, list[Path]]]:
    """The programs where the server's user can run them, and the folders that were made for that (to be removed by the caller).

    A wheel in root's home cannot be entered by anyone else: it is copied.
    """
    probe = as_server_user(["test", "-x", programs / "postgres"])
    if server_user() is None or subprocess.run(probe, check=False).returncode == 0:
        yield programs, []
        return
    copy = Path(tempfile.mkdtemp(prefix="postgres-programs-"))
    copy.chmod(0o755)
    shutil.copytree(programs.parents[1], copy / "package", symlinks=True)
    libraries = programs.parents[2] / f"{programs.parents[1].name}.libs"
    shutil.copytree(libraries, copy / libraries.name)
    yield copy / "package" / programs.relative_to(programs.parents[1]), [copy]


def airflow_template(programs: Path) -> Path:
    """A data directory with a migrated Airflow database in it; made on first use, then kept for later test runs."""
    printed = subprocess.run([programs / "postgres", "-V"], capture_output=True, text=True, check=True).stdout
    template = cache_directory() / template_name(f"postgres-{printed.split()[2]}")
    with locked(template):
        if not template.exists():
            partial = template.with_name(template.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            data = Path(tempfile.mkdtemp(prefix="postgres-template-"))
            try:
                make_template(programs, data)
                shutil.copytree(data, partial)
            finally:
                shutil.rmtree(data)
            partial.rename(template)
    return template


def make_template(programs: Path, data: Path) -> None:
    """Create a database cluster in an empty folder, and in it the database `airflow_template`, migrated."""
    give_to_server_user(data)
    run_as_server_user(
        programs / "initdb",
        *("-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"),
    )
    port = free_port()
    options = " ".join(["-p", str(port), *server_options()]).replace(
        "unix_socket_directories=", "unix_socket_directories=''"
    )
    run_as_server_user(
        programs / "pg_ctl", "start", "-w", "-D", data, "-o", options, "-l", data / "template.log"
    )
    try:
        execute(port, f"CREATE DATABASE {AIRFLOW_TEMPLATE}")
        migrate(database_url(port, AIRFLOW_TEMPLATE))
    finally:
        run_as_server_user(programs / "pg_ctl", "stop", "-w", "-m", "fast", "-D", data)
