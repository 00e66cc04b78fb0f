"""A client of Airflow's public REST API for tests, whose failures say what the tasks said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.services.waiting import wait_until

REQUEST_SECONDS = 90.0
MORE_WHEN_LOCKED = 2
DAG_SECONDS = 60.0
RUN_SECONDS = 120.0
PAGE = 100
FINAL_RUN_STATES = frozenset({"success", "failed"})
LOG_TAIL_LINES = 30
TASKS_IN_REPORT = 3

Json = dict[str, Any]


@dataclass(frozen=True)
class TaskInstance:
    """A task instance as the API shows it. `map_index` is -1 for one that is not mapped, `state` None before it is scheduled."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    details: Json

    @property
    def label(self) -> str:
        """`task` or `task[3]`."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowApi:
    """The REST API as one user sees it.

    Args:
        base_url: where the API server listens, without a path.
        username: a user of the simple auth manager.
        password: that user's password.
        dags_folder: where the DAG files lie, to tell whose import error one is.
        check_alive: raises if a part of Airflow has died; asked while waiting.

    `client` is an `httpx.Client` that is authenticated and whose base is `base_url`, for all that has no method here.
    """

    def __init__(
        self, base_url: str, username: str, password: str, dags_folder: Path, check_alive: Callable[[], bool]
    ) -> None:
        self._dags_folder = dags_folder
        self._check_alive = check_alive
        self.base_url = base_url
        credentials = {"username": username, "password": password}
        answer = httpx.post(f"{base_url}/auth/token", json=credentials, timeout=REQUEST_SECONDS)
        self.token: str = answer.raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {self.token}"}
        self.client = httpx.Client(base_url=base_url, headers=headers, timeout=REQUEST_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Call `/api/v2` + `path`; the decoded JSON answer, None for an empty one.

        Before it does what it is asked for, Airflow (3.3) notes it in its audit log from within its event loop. On SQLite that waits for
        the writer before it, whose end may need the event loop: neither goes on until the wait for the lock is over. Nothing has been
        done then, so the request is made again.

        Raises:
            AssertionError: the answer was an error; the message holds its body.
        """
        answer = self.client.request(method, f"/api/v2{path}", **arguments)
        for _ in range(MORE_WHEN_LOCKED):
            if not _is_locked(answer):
                break
            answer = self.client.request(method, f"/api/v2{path}", **arguments)
        assert answer.is_success, f"{method} {answer.url} gave {answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None

    def import_errors(self) -> dict[str, str]:
        """The DAG files that could not be imported: path below the DAGs folder → stack trace."""
        errors = self._pages("/importErrors", "import_errors")
        return {error["filename"]: error["stack_trace"] for error in errors}

    def wait_for_dag(
        self,
        dag_id: str,
        *,
        filename: str | None = None,
        parsed_after: datetime | None = None,
        timeout: float = DAG_SECONDS,
    ) -> Json:
        """Wait until the DAG is parsed, and return the API's description of it.

        Args:
            dag_id: the DAG's id.
            filename: the DAG's file, relative to the DAGs folder. Without it, the files that mention the DAG's id are meant.
            parsed_after: only a parse that ended after this time counts: for a DAG whose file was replaced.
            timeout: seconds.

        Raises:
            AssertionError: the file has an import error (its stack trace is the message), or time ran out.
        """

        def parsed() -> Json | None:
            self._check_alive()
            answer = self.client.get(f"/api/v2/dags/{quote(dag_id, safe='')}")
            if answer.status_code == httpx.codes.OK:
                dag: Json = answer.json()
                when = datetime.fromisoformat(dag["last_parsed_time"]) if dag["last_parsed_time"] else None
                if parsed_after is None or (when is not None and when > parsed_after):
                    return dag
            elif answer.status_code != httpx.codes.NOT_FOUND:
                raise AssertionError(f"GET {answer.url} gave {answer.status_code}: {answer.text}")
            self._check_imported(dag_id, filename)
            return None

        dag = wait_until(parsed, timeout, lambda: f"DAG {dag_id} to be parsed", interval=0.1)
        assert dag is not None
        return dag

    def _check_imported(self, dag_id: str, filename: str | None) -> None:
        for failed, trace in self.import_errors().items():
            path = self._dags_folder / failed
            mentioned = path.exists() and dag_id.encode() in path.read_bytes()
            if failed == filename or (filename is None and mentioned):
                raise AssertionError(f"{failed} cannot be imported:\n{trace}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run; its run id."""
        body: Json = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            body["dag_run_id"] = run_id
        run: Json = self.request("POST", f"/dags/{quote(dag_id, safe='')}/dagRuns", json=body)
        return str(run["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """What the API says of a run."""
        found: Json = self.request("GET", _run_path(dag_id, run_id))
        return found

    def wait_for_run(
        self, dag_id: str, run_id: str, *, timeout: float = RUN_SECONDS, expected: str | None = "success"
    ) -> str:
        """Wait until a run has ended, and return its state, `success` or `failed`.

        Args:
            dag_id: the DAG's id.
            run_id: the run's id.
            timeout: seconds.
            expected: the state that the run must have; None accepts both.

        Raises:
            AssertionError: another state, or time ran out; the message holds the states of the tasks and the ends of the logs of
                the first that failed.
        """

        def ended() -> str | None:
            self._check_alive()
            state = self.run(dag_id, run_id)["state"]
            return str(state) if state in FINAL_RUN_STATES else None

        def report() -> str:
            return f"run {run_id} of {dag_id} to end\n{self.report(dag_id, run_id)}"

        state = wait_until(ended, timeout, report, interval=0.1, longest_interval=1.0)
        assert state is not None
        if expected is not None and state != expected:
            raise AssertionError(
                f"run {run_id} of {dag_id} is {state}, not {expected}\n{self.report(dag_id, run_id)}"
            )
        return state

    def trigger_and_wait(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        *,
        timeout: float = RUN_SECONDS,
        expected: str | None = "success",
    ) -> str:
        """Wait for the DAG, start a run, wait for its end as `wait_for_run` does; the run id."""
        self.wait_for_dag(dag_id)
        started = self.trigger(dag_id, conf, run_id)
        self.wait_for_run(dag_id, started, timeout=timeout, expected=expected)
        return started

    def report(self, dag_id: str, run_id: str) -> str:
        """The states of a run's tasks, and the ends of the logs of the first tasks that failed, as text for a person."""
        instances = self.task_instances(dag_id, run_id)
        lines = [
            f"  {instance.label}: {instance.state} (try {instance.try_number})" for instance in instances
        ]
        for instance in [one for one in instances if one.state in {"failed", "up_for_retry"}][
            :TASKS_IN_REPORT
        ]:
            log = self.task_log(dag_id, run_id, instance.task_id, instance.map_index, instance.try_number)
            tail = log.splitlines()[-LOG_TAIL_LINES:]
            lines += [f"--- end of the log of {instance.label}, try {instance.try_number}", *tail]
        return "\n".join(lines)

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """All task instances of a run, sorted by task id and map index."""
        found = [
            TaskInstance(one["task_id"], one["map_index"], one["state"], one["try_number"], one)
            for one in self._pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances")
        ]
        return sorted(found, key=lambda instance: (instance.task_id, instance.map_index))

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """The label of each task instance (`task`, `task[3]`) and its state."""
        return {instance.label: instance.state for instance in self.task_instances(dag_id, run_id)}

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, try_number: int = 1
    ) -> str:
        """What one try of a task instance logged, one line for each entry, stack traces included."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}/logs/{try_number}"
        query: Json = {"map_index": map_index, "full_content": True}
        headers = {"Accept": "application/json"}
        content = self.request("GET", path, params=query, headers=headers)["content"]
        return "\n".join(line for entry in content for line in _log_lines(entry))

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """The extra links on the page of a task instance, by name."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/links"
        found: dict[str, str | None] = self.request("GET", path, params={"map_index": map_index})[
            "extra_links"
        ]
        return found

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """The value of an XCom as the API shows it."""
        task = quote(task_id, safe="")
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task}/xcomEntries/{quote(key, safe='')}"
        return self.request("GET", path, params={"map_index": map_index, "deserialize": True})["value"]

    def clear(
        self,
        dag_id: str,
        run_id: str,
        tasks: Sequence[str | tuple[str, int]] | None = None,
        *,
        only_failed: bool = False,
        downstream: bool = False,
        **options: Any,
    ) -> list[Json]:
        """Clear task instances of a run so that they run again; those that were cleared.

        Args:
            dag_id: the DAG's id.
            run_id: the run's id.
            tasks: task ids, or (task id, map index); None for all of the run.
            only_failed: leave out those that did not fail.
            downstream: clear what comes after them, too.
            **options: more fields of the API's body, such as `run_on_latest_version`.
        """
        body: Json = {"dry_run": False, "dag_run_id": run_id, "only_failed": only_failed}
        body |= {"include_downstream": downstream, **options}
        if tasks is not None:
            body["task_ids"] = list(tasks)
        path = f"/dags/{quote(dag_id, safe='')}/clearTaskInstances"
        cleared: list[Json] = self.request("POST", path, json=body)["task_instances"]
        return cleared

    def set_task_state(
        self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int | None = None
    ) -> None:
        """Set a task instance (of a mapped task all, unless `map_index` is given) to `success`, `failed` or `skipped`."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"
        if map_index is not None:
            path += f"/{map_index}"
        self.request("PATCH", path, json={"new_state": state})

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        """Set a run to `queued`, `success` or `failed`."""
        self.request("PATCH", _run_path(dag_id, run_id), json={"state": state})

    def pause(self, dag_id: str, paused: bool = True) -> None:
        """Pause a DAG, or let it go on."""
        self.request("PATCH", f"/dags/{quote(dag_id, safe='')}", json={"is_paused": paused})

    def reparse(self, dag_id: str) -> None:
        """Have a DAG's file parsed again soon, for one whose Python file did not change but what it reads did."""
        token = self.request("GET", f"/dags/{quote(dag_id, safe='')}")["file_token"]
        self.request("PUT", f"/parseDagFile/{token}")

    def _pages(self, path: str, name: str) -> list[Json]:
        found: list[Json] = []
        while True:
            page = self.request("GET", path, params={"limit": PAGE, "offset": len(found)})
            found += page[name]
            if not page[name] or len(found) >= page["total_entries"]:
                return found


def _is_locked(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR and "Database error" in answer.text


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"


def _log_lines(entry: str | Json) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    lines = [str(entry.get("event", ""))]
    for error in entry.get("error_detail") or []:
        lines += [
            f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
            for frame in error["frames"]
        ]
        lines.append(f"{error['exc_type']}: {error['exc_value']}")
    return lines
