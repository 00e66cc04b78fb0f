"""``current``: what a step may know of where it runs."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_PROVIDED_BY = {
    "card": "@card",
    "parallel": "@parallel",
    "project_name": "@project",
    "branch_name": "@project",
    "is_user_branch": "@project",
    "is_production": "@project",
    "project_flow_name": "@project",
    "trigger": "@trigger or @trigger_on_finish",
}
_IDENTITY = (
    "flow_name",
    "run_id",
    "step_name",
    "task_id",
    "pathspec",
    "origin_run_id",
    "run",
    "task",
    "namespace",
    "username",
    "airflow",
    "tempdir",
    "deployer",
)


class Parallel(NamedTuple):
    """Place of a task in its gang.

    Attributes:
        main_ip: Address of node 0.
        num_nodes: Size of the gang.
        node_index: 0-based place of this task; node 0 is the control task.
        control_task_id: Task id of node 0.
    """

    main_ip: str
    num_nodes: int
    node_index: int
    control_task_id: str


class AirflowTask(NamedTuple):
    """Where a task runs in Airflow.

    Attributes:
        dag_id: The DAG.
        dag_run_id: The DAG run.
        task_id: The Airflow task.
        map_index: Index of the mapped instance, -1 for one that is not mapped.
        try_number: Number of this try, from 1.
        log_url: Its log in the Airflow UI.
        logical_date: Logical date of the DAG run, ``None`` if it has none.
    """

    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    try_number: int
    log_url: str
    logical_date: datetime.datetime | None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> AirflowTask:
        """Make it of JSON values by name; the date is in ISO 8601."""
        date = record.get("logical_date")
        return cls(
            dag_id=str(record["dag_id"]),
            dag_run_id=str(record["dag_run_id"]),
            task_id=str(record["task_id"]),
            map_index=int(record.get("map_index", -1)),
            try_number=int(record.get("try_number", 1)),
            log_url=str(record.get("log_url") or ""),
            logical_date=datetime.datetime.fromisoformat(date) if date else None,
        )


class Current:
    """The singleton ``current``. Attributes are set by the task runner and by decorators.

    Those that tell who and where are ``None`` outside a run; those of a decorator raise ``AttributeError`` where it is missing.
    ``"name" in current`` and ``current.get("name", default)`` work as for a dict.

    Attributes:
        flow_name: Name of the flow.
        run_id: Id of the run.
        step_name: Name of the step.
        task_id: Id of the task.
        pathspec: ``Flow/run/step/task``.
        origin_run_id: The run that this one resumes.
        run: The run, as a client object.
        task: The task, as a client object.
        namespace: The client's namespace.
        username: Who started the run; ``airflow`` on Airflow.
        deployer: Who deployed the flow.
        airflow: ``None`` locally; ``dag_id``, ``dag_run_id``, ``task_id``, ``map_index``, ``try_number``, ``log_url`` and
            ``logical_date``.
        tempdir: Folder for temporary files.
        card: The card, of ``@card``.
        parallel: ``main_ip``, ``num_nodes``, ``node_index`` and ``control_task_id``, of ``@parallel``.
        trigger: What started the run, of ``@trigger`` and ``@trigger_on_finish``.
        project_name: The project, of ``@project``; likewise ``branch_name``, ``is_user_branch``, ``is_production`` and
            ``project_flow_name``.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        values = self.__dict__.get("_values", {})
        if name in values:
            return _made(values[name])
        if name in _IDENTITY:
            return None
        if name in _PROVIDED_BY:
            raise AttributeError(
                f"current.{name} is provided by {_PROVIDED_BY[name]}, which this step lacks."
            )
        raise AttributeError(f"current has no attribute '{name}'.")

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, key: str, default: Any = None) -> Any:
        """The attribute ``key``, or ``default`` when it is not set."""
        value = getattr(self, key, None)
        return default if value is None else value

    @property
    def is_running_flow(self) -> bool:
        """Whether this process runs a step."""
        return "run_id" in self._values

    @property
    def is_parallel(self) -> bool:
        """Whether the step is a node of a gang."""
        return "parallel" in self._values

    @property
    def retry_count(self) -> int:
        """0-based attempt within the current budget of tries."""
        return int(self._values.get("retry_count", 0))

    @property
    def tags(self) -> frozenset[str]:
        """All tags of the run."""
        return frozenset(_made(self._values.get("tags", ())))

    @property
    def parameter_names(self) -> list[str]:
        """Names of the flow's parameters."""
        return list(self._values.get("parameter_names", ()))

    @property
    def graph(self) -> dict[str, Any]:
        """The flow's graph as a dict, in the form of ``_graph_info``."""
        graph: dict[str, Any] = _made(self._values.get("graph", {}))
        return graph

    def _set(self, **values: Any) -> None:
        self._values.update(values)

    def _set_lazy(self, name: str, function: Any) -> None:
        self._values[name] = _Lazy(function)

    def _clear(self) -> None:
        self._values.clear()


class _Lazy:
    """A value made when it is first asked for."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._made: list[Any] = []

    def __call__(self) -> Any:
        if not self._made:
            self._made.append(self._function())
        return self._made[0]


def _made(value: Any) -> Any:
    return value() if isinstance(value, _Lazy) else value


current = Current()
"""What this process runs: see :class:`Current`."""
