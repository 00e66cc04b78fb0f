"""A real Airflow for tests: scheduler, API server, DAG processor and triggerer, each a process of its own."""

import json
import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx

from tests.services.airflow_api import AirflowApi
from tests.services.airflow_database import clean_environment, copy_sqlite_template
from tests.services.guarded import GuardedService, free_port
from tests.services.waiting import wait_until

START_SECONDS = 120.0
# SQLite has one writer at a time; others wait so long for it. Five seconds, the default, are too few on a busy machine; and the API
# server stands still as long when it waits for itself, see `AirflowApi.request`.
LOCK_SECONDS = 20
REPOSITORY = Path(__file__).parents[2]
# By user; all but the first two may change what they may see, see `per_dag_auth`.
ROLES = {
    "admin": "admin",
    "viewer": "viewer",
    "editor": "user",
    "stranger": "user",
    "no-run": "user",
    "no-task_instance": "user",
    "no-xcom": "user",
    "no-code": "user",
    "no-task_logs": "user",
}
PASSWORDS = {user: f"{user}-password" for user in ROLES}
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")

# What makes a run take as long as its tasks do, and a new DAG file be seen in a second or two.
QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    # On a loaded machine the API server's first answers take a minute; a task that gives up on one fails its test.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "180",
}

# `airflow`, with what the executor's workers import for their first task imported before they fork: else each of them spends a second
# or two on it, and the first runs of a test session take several times what the later ones do.
WARM_SCHEDULER = """
import airflow.sdk.execution_time.supervisor, airflow.sdk.execution_time.task_runner
from airflow.__main__ import main
main()
"""


class LiveAirflow(GuardedService):
    """An Airflow in a home of its own on free loopback ports; a context manager.

    LocalExecutor, users and roles of `ROLES` (`PASSWORDS`; see `per_dag_auth`), no examples, DAGs not paused when new.
    The repository is on the Python path of its processes, so DAG files may import the package and `tests`.

    Args:
        directory: see `GuardedService`; processes that name the same one share one Airflow.
        environment: more environment variables for all its processes, such as `AIRFLOW__MLFLOW_PROVIDER__…`, `AWS_…` or
            `KUBECONFIG`. Of a shared Airflow, the process that starts it decides.
        sql_alchemy_conn: a migrated database. Without it, a new SQLite file.
    """

    base_url: str
    api: AirflowApi
    # The Python of its processes; another one than ours has its own Airflow, and what is installed beside it.
    python = Path(sys.executable)

    def __init__(
        self,
        directory: Path | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        sql_alchemy_conn: str | None = None,
    ) -> None:
        super().__init__(directory)
        self._extra = dict(environment or {})
        self._sql_alchemy_conn = (
            sql_alchemy_conn or f"sqlite:///{self.home / 'airflow.db'}?timeout={LOCK_SECONDS}"
        )

    @property
    def home(self) -> Path:
        """`AIRFLOW_HOME`."""
        return self.directory / "home"

    @property
    def store(self) -> str:
        """URL of the artifact store that its processes are configured with."""
        return self.environment()["AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT"]

    @property
    def dags_folder(self) -> Path:
        """Where DAG files go."""
        return self.home / "dags"

    def add_dag(self, dag_id: str, source: str, *, timeout: float = 60.0) -> None:
        """Write `<dag_id>.py`, with the given (dedented) source, into the DAGs folder, and wait until this version is parsed.

        Raises:
            AssertionError: it has an import error, or was not parsed in time.
        """
        self.add_dags({dag_id: source}, timeout=timeout)

    def add_dags(self, sources: Mapping[str, str], *, timeout: float = 60.0) -> None:
        """As `add_dag`, for many at once.

        Args:
            sources: by DAG id.
            timeout: seconds, for each.
        """
        began = datetime.now(timezone.utc)
        for dag_id, source in sources.items():
            partial = self.dags_folder / f"{dag_id}.partial"
            partial.write_text(dedent(source))
            partial.rename(partial.with_suffix(".py"))
        for dag_id in sources:
            self.api.wait_for_dag(dag_id, filename=f"{dag_id}.py", parsed_after=began, timeout=timeout)

    def login(self, username: str) -> AirflowApi:
        """The API as another user of `ROLES` sees it. The caller closes it."""
        return AirflowApi(self.base_url, username, PASSWORDS[username], self.dags_folder, self.check_alive)

    def environment(self) -> dict[str, str]:
        """The environment of Airflow's processes, also for running `airflow` commands against it (only once it is started)."""
        environment: dict[str, str] = json.loads((self.directory / "environment.json").read_text())
        return environment

    def stop(self) -> None:
        """Stop using it; see `GuardedService.stop`."""
        if api := self.__dict__.pop("api", None):
            api.close()
        super().stop()

    def _launch(self) -> dict[str, Any]:
        port = free_port()
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        environment = self._settings(port)
        (self.directory / "environment.json").write_text(json.dumps(environment))
        (self.home / "passwords.json").write_text(json.dumps(PASSWORDS))
        if self._sql_alchemy_conn.startswith("sqlite") and not (self.home / "airflow.db").exists():
            self._make_sqlite(self.home / "airflow.db")
        python = str(self.python)
        airflow = [python, "-m", "airflow"]
        commands = {
            "scheduler": [python, "-c", WARM_SCHEDULER, "scheduler", "--skip-serve-logs"],
            "api-server": [
                *airflow,
                "api-server",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
            ],
            "dag-processor": [*airflow, "dag-processor"],
            "triggerer": [*airflow, "triggerer", "--skip-serve-logs"],
        }
        self._guard(commands, environment)
        self._wait_until_healthy(f"http://127.0.0.1:{port}")
        return {"port": port}

    def _make_sqlite(self, path: Path) -> None:
        copy_sqlite_template(path)

    def _joined(self, facts: dict[str, Any]) -> None:
        self.base_url = f"http://127.0.0.1:{facts['port']}"
        self.api = self.login("admin")

    def _wait_until_healthy(self, base_url: str) -> None:
        health: dict[str, str | None] = {}

        def healthy() -> bool:
            self.check_alive()
            try:
                answer = client.get("/api/v2/monitor/health")
            except httpx.TransportError:
                return False
            if answer.is_success:
                health.update({name: part["status"] for name, part in answer.json().items()})
            return all(health.get(name) == "healthy" for name in COMPONENTS)

        def report() -> str:
            tails = [f"--- {name}\n{self.log_tail(name, 15)}" for name in self._pids() if name != "guardian"]
            return "\n".join([f"Airflow to be healthy: {health}", *tails])

        # Without the certificates, which plain HTTP does not need and which take 25 ms to read.
        with httpx.Client(base_url=base_url, timeout=10, verify=False) as client:
            wait_until(healthy, START_SECONDS, report, interval=0.1)

    def _settings(self, port: int) -> dict[str, str]:
        environment = clean_environment()
        paths = [str(REPOSITORY), environment.get("PYTHONPATH", "")]
        return {
            **environment,
            "PATH": f"{self.python.parent}:{environment.get('PATH', '/usr/bin:/bin')}",
            "PYTHONPATH": ":".join(path for path in paths if path),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(":".join(pair) for pair in ROLES.items()),
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.services.per_dag_auth.PerDagAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._sql_alchemy_conn,
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": (self.directory / "artifact-store").as_uri(),
            "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "true",
            "AIRFLOW__MLFLOW_PROVIDER__API_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__MLFLOW_PROVIDER__API_USER": "admin",
            "AIRFLOW__MLFLOW_PROVIDER__API_PASSWORD": PASSWORDS["admin"],
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            **QUICK,
            **self._extra,
        }
