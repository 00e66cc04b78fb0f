"""Migrated, empty Airflow databases, made once per Airflow version and machine, then copied."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

MIGRATE_SECONDS = 180


def cache_directory() -> Path:
    """Where templates are kept between test runs: `$XDG_CACHE_HOME` or `~/.cache`."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = base / "airflow-mlflow-provider-tests"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def template_name(kind: str) -> str:
    """The name of a template, different for whatever decides its content."""
    return (
        f"{kind}-airflow-{version('apache-airflow-core')}-python-{sys.version_info[0]}.{sys.version_info[1]}"
    )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that belongs to `path`, among all processes of the machine."""
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def migrate(
    sql_alchemy_conn: str,
    environment: Mapping[str, str] | None = None,
    python: str | Path = sys.executable,
) -> None:
    """Create Airflow's tables in an empty database.

    Args:
        sql_alchemy_conn: the database.
        environment: more environment variables.
        python: the Python whose Airflow makes them.

    Raises:
        AssertionError: `airflow db migrate` failed; the message holds what it printed.
    """
    with tempfile.TemporaryDirectory(prefix="airflow-migrate-") as home:
        settings = {
            "AIRFLOW_HOME": home,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sql_alchemy_conn,
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        done = subprocess.run(
            [str(python), "-m", "airflow", "db", "migrate"],
            env={**clean_environment(), **(environment or {}), **settings},
            capture_output=True,
            text=True,
            timeout=MIGRATE_SECONDS,
            check=False,
        )
    assert done.returncode == 0, f"airflow db migrate failed:\n{done.stdout}\n{done.stderr}"


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of Airflow's.

    Nor does it keep Python from writing bytecode: compiling Airflow anew doubles the time that each of its processes needs to start.
    """
    dropped = ("AIRFLOW", "_AIRFLOW", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def copy_sqlite_template(target: Path) -> None:
    """Put a migrated, empty SQLite database at `target`."""
    template = cache_directory() / f"{template_name('sqlite')}.db"
    with locked(template):
        if not template.exists():
            partial = template.with_name(template.name + ".partial")
            partial.unlink(missing_ok=True)
            migrate(f"sqlite:///{partial}")
            partial.rename(template)
    shutil.copyfile(template, target)
