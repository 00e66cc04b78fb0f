"""An Airflow on this machine: SQLite, LocalExecutor, steps in the worker, a folder as the store; loopback only."""

import contextlib
import ctypes
import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from airflow_mlflow_provider.exception import MetaflowUnknownUser
from airflow_mlflow_provider.flow.user import user_name
from dags_examples.demo.display import DemoFailed

REPOSITORY = Path(__file__).parents[2]
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
USUAL_PORT = 8080
MIGRATE_SECONDS = 180
START_SECONDS = 180
STOP_SECONDS = 15
POLL_SECONDS = 0.3
LOG_LINES = 25
PR_SET_CHILD_SUBREAPER = 36
# So that a file is parsed, and a task started, as soon as it is there.
QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
}


class LocalAirflow:
    """Airflow's four processes, as children of this one; none outlives it.

    Args:
        folder: An empty folder for everything it writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dags_folder = folder / "airflow" / "dags"
        self.logs = folder / "airflow" / "logs"
        self.store = (folder / "store").as_uri()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = self._settings()
        self.token = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def migrate(self) -> None:
        """Make the database.

        Raises:
            DemoFailed: Airflow could not; the message holds what it said.
        """
        self.dags_folder.mkdir(parents=True)
        self.logs.mkdir()
        self.run([sys.executable, "-m", "airflow", "db", "migrate"], "Airflow's database cannot be made")

    def start(self) -> None:
        """Start the processes, without waiting for them."""
        if sys.platform == "linux":
            # What a component leaves behind when it dies becomes a child of this process, which ends it.
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        serve = ["api-server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        for command in (
            serve,
            ["scheduler", "--skip-serve-logs"],
            ["dag-processor"],
            ["triggerer", "--skip-serve-logs"],
        ):
            self._processes[command[0]] = self._spawn(command)

    def wait_until_healthy(self) -> None:
        """Wait until all parts answer, and get a token.

        Raises:
            DemoFailed: A process ended, or not all answered in time.
        """
        health: dict[str, str | None] = {}

        def healthy() -> bool:
            try:
                answer = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10)
            except httpx.TransportError:
                return False
            if answer.is_success:
                health.update({name: part["status"] for name, part in answer.json().items()})
            return all(health.get(name) == "healthy" for name in COMPONENTS)

        self.wait(healthy, START_SECONDS, lambda: f"Airflow is not healthy: {health or 'it does not answer'}")
        self.token = httpx.get(f"{self.url}/auth/token", timeout=30).raise_for_status().json()["access_token"]
        self.environment["AIRFLOW__MLFLOW_PROVIDER__API_TOKEN"] = self.token

    def wait(self, condition: Callable[[], bool], seconds: float, failure: Callable[[], str]) -> None:
        """Wait for a condition while all processes run.

        Raises:
            DemoFailed: It did not come true in time, or a process ended.
        """
        give_up = time.monotonic() + seconds
        while not condition():
            self.check_alive()
            if time.monotonic() > give_up:
                raise DemoFailed(f"{failure()} (after {seconds:.0f} s; logs in {self.folder})")
            time.sleep(POLL_SECONDS)

    def check_alive(self) -> None:
        """See that every process runs.

        Raises:
            DemoFailed: One has ended; the message holds the end of its log.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                tail = log_tail(self.folder / f"{name}.log")
                raise DemoFailed(f"Airflow's {name} ended with exit code {process.returncode}.\n{tail}")

    def run(self, command: list[str], failure: str) -> str:
        """Run a program in Airflow's environment, and return what it printed.

        Raises:
            DemoFailed: It ended with another exit code than 0.
        """
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MIGRATE_SECONDS,
            check=False,
        )
        if done.returncode:
            raise DemoFailed(f"{failure} (exit code {done.returncode}).\n{done.stdout}")
        return done.stdout

    def stop(self) -> None:
        """End the processes and whatever they have started. Harmless when repeated."""
        for process in self._processes.values():
            process.terminate()
        give_up = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, give_up - time.monotonic()))
        left = psutil.Process().children(recursive=True)
        while left:
            for child in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            psutil.wait_procs(left)
            left = psutil.Process().children(recursive=True)
        self._processes.clear()

    def write_environment(self) -> Path:
        """Write a shell file that lets another terminal use this Airflow; its path."""
        path = self.folder / "environment.sh"
        own = {k: v for k, v in self.environment.items() if k.startswith(("AIRFLOW", "METAFLOW_USER"))}
        path.touch(mode=0o600)
        path.write_text(
            "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(own.items()))
        )
        return path

    def _spawn(self, command: list[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{command[0]}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dags_examples.demo.component", str(os.getpid()), *command],
                env=self.environment,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the demo alone, which then ends them in order.
                start_new_session=True,
            )

    def _settings(self) -> dict[str, str]:
        # Nothing of another Airflow that the caller may have set up, nor what slows Python's start.
        foreign = ("AIRFLOW", "_AIRFLOW", "PYTHONDONTWRITEBYTECODE")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        home = self.folder / "airflow"
        return {
            **inherited,
            "METAFLOW_USER": known_user(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', os.defpath)}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(max(4, os.cpu_count() or 1)),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": self.store,
            # The workers are this machine, so the folder is the same everywhere.
            "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "True",
            "AIRFLOW__MLFLOW_PROVIDER__API_URL": self.url,
            **QUICK,
        }


def known_user() -> str:
    """Who works here; `demo` where nobody can be told, as for root in a container."""
    try:
        return user_name()
    except MetaflowUnknownUser:
        return "demo"


def free_port() -> int:
    """Airflow's usual port if nothing listens there, else any."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise DemoFailed("No port is free on the loopback address.")


def log_tail(path: Path, lines: int = LOG_LINES) -> str:
    """The last lines of a log, those of Airflow's JSON logs as text."""
    if not path.exists():
        return f"({path} does not exist)"
    text = "\n".join(_as_text(line) for line in path.read_text(errors="replace").splitlines())
    return "\n".join(text.splitlines()[-lines:])


def _as_text(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []]
    return "\n".join([str(entry.get("event", line)), *errors])
