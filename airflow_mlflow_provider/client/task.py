"""``Task``: one execution of a step, for one split; it may have several attempts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airflow_mlflow_provider.client.artifact import DataArtifact
from airflow_mlflow_provider.client.core import MetaflowObject, moment
from airflow_mlflow_provider.client.data import MetaflowData
from airflow_mlflow_provider.client.facts import task_facts
from airflow_mlflow_provider.exception import MetaflowExceptionWrapper
from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.runtime.log_scrubbing import scrubbing_of
from airflow_mlflow_provider.runtime.logs import Stream, decode_lines
from airflow_mlflow_provider.runtime.private_artifacts import private_artifact, private_names
from airflow_mlflow_provider.store.existing import what_exists
from airflow_mlflow_provider.store.records import (
    ArtifactEntry,
    AttemptKey,
    BeginRecord,
    DoneRecord,
    RunStatus,
)

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.code import MetaflowCode
    from airflow_mlflow_provider.client.step import Step


class Metadata(NamedTuple):
    """One fact about a task; the value is a text, but for ``foreach-stack``, which is a list of texts."""

    name: str
    value: Any
    created_at: datetime.datetime
    type: str
    task: Task


class Task(MetaflowObject[DataArtifact]):
    """One execution of a step: its artifacts by name."""

    SHAPE: ClassVar[str] = "Flow/run/step/task"
    TAKES_ATTEMPT: ClassVar[bool] = True

    _settled: DoneRecord | None = None
    _unsettled: DoneRecord | None = None

    @property
    def parent(self) -> Step:
        """The step."""
        from airflow_mlflow_provider.client.step import Step

        return self._related(Step, *self._parts[:3])

    @property
    def created_at(self) -> datetime.datetime | None:
        """When the attempt was started."""
        begun = self._begun
        return None if begun is None else moment(begun.started_at)

    @property
    def data(self) -> MetaflowData:
        """The artifacts, as attributes."""
        artifacts = {name: self._child(name) for name in self._entries}
        return MetaflowData(artifacts, self.pathspec, self._private)

    @property
    def origin_pathspec(self) -> str | None:
        """Pathspec of the task that really ran, if the run took this one over from another run or from the cache."""
        key = self._key
        if key.run != self._parts[1]:
            return key.pathspec
        reused = self._record.metadata.get("cache", "") if self._record is not None else ""
        return reused.removeprefix("hit ") if reused.startswith("hit ") else None

    @property
    def artifacts(self) -> Any:
        """The artifacts as a named tuple of :class:`DataArtifact`."""
        from collections import namedtuple

        objects = list(self)
        kind: Any = namedtuple("MetaflowArtifacts", [o.id for o in objects], rename=True)  # type: ignore[misc]  # noqa: PYI024 - names at run time
        return kind(*objects)

    @property
    def index(self) -> int | None:
        """Position in the innermost foreach; ``None`` outside one."""
        record = self._record
        return record.frames[-1].index if record is not None and record.frames else None

    @property
    def finished(self) -> bool:
        """Whether the flow goes on from the task."""
        return self._record is not None and self._record.finished

    @property
    def successful(self) -> bool:
        """Whether the task finished without an exception that was caught."""
        return self._record is not None and self._record.outcome == "succeeded"

    @property
    def finished_at(self) -> datetime.datetime | None:
        """When the attempt ended."""
        return None if self._record is None else moment(self._record.ended_at)

    @property
    def exception(self) -> MetaflowExceptionWrapper | None:
        """What made the attempt fail."""
        record = self._record
        if record is None or record.exception is None:
            return None
        wrapper = MetaflowExceptionWrapper()
        wrapper.type, wrapper.exception = record.exception.type, record.exception.message
        wrapper.stacktrace = record.exception.traceback or None
        return wrapper

    @property
    def status(self) -> RunStatus:
        """``pending``, ``running``, ``succeeded`` or ``failed``."""
        if self._record is not None:
            return "succeeded" if self._record.finished else "failed"
        return "running" if self._begun is not None else "pending"

    @property
    def attempts(self) -> list[int]:
        """Numbers of the attempts that were started."""
        return self._ledger.attempts(*self._parts)

    @property
    def current_attempt(self) -> int:
        """Number of the attempt that this object shows."""
        return self._key.attempt

    @property
    def metadata(self) -> list[Metadata]:
        """Facts about the attempt."""
        key, begun = self._key, self._begun
        created = moment(begun.started_at) if begun else moment(0)
        facts = task_facts(self.parent.parent, key, begun, self._record)
        scrubbed = scrubbing_of(self._ledger, key)
        if scrubbed is not None:
            facts["log-scrubbed"] = f"{scrubbed.time} {scrubbed.user}"
        return [Metadata(name, value, created, name, self) for name, value in facts.items()]

    @property
    def metadata_dict(self) -> dict[str, Any]:
        """The facts, by name."""
        return {fact.name: fact.value for fact in self.metadata}

    @property
    def runtime_name(self) -> str:
        """``dev`` for a local run, ``airflow`` for a deployed one."""
        tags = (t.partition(":") for t in self.system_tags)
        return next((value for name, _, value in tags if name == "runtime"), "dev")

    @property
    def stdout(self) -> str:
        """What the attempt printed."""
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        """What the attempt printed on standard error."""
        return self._text("stderr")

    @property
    def stdout_size(self) -> int:
        """Length of :attr:`stdout` in bytes."""
        return len(self.stdout.encode())

    @property
    def stderr_size(self) -> int:
        """Length of :attr:`stderr` in bytes."""
        return len(self.stderr.encode())

    @property
    def code(self) -> MetaflowCode | None:
        """The code that the run was started with."""
        return self.parent.parent.code

    @property
    def environment_info(self) -> dict[str, Any]:
        """What the task ran in: ``type``, ``python``, and, of an environment of its own, ``lock`` and ``packages`` by version."""
        run = self.parent.parent
        kind = run.manifest.environment
        digest = run._record.environments.get(self._parts[2])
        if digest is None:
            return {"type": kind if kind == "local" else f"{kind}, disabled", "python": run._record.python}
        from airflow_mlflow_provider.runtime.environments.lock import Locks

        lock = Locks(self._ledger.store).get(digest)
        packages = {package.name: package.version for found in lock.packages.values() for package in found}
        return {"type": kind, "python": lock.request.python, "lock": digest, "packages": packages}

    @property
    def parent_task_pathspecs(self) -> Iterator[str]:
        """Pathspecs of the tasks that this one started from."""
        record, (flow, run) = self._record, self._parts[:2]
        parents = record.parents if record is not None else ()
        # Tasks taken over from another run are in this one as well.
        return (f"{flow}/{run}/{key.step}/{key.task}" for key in parents)

    @property
    def parent_tasks(self) -> Iterator[Task]:
        """The tasks that this one started from."""
        return (self._related(Task, *path.split("/")) for path in self.parent_task_pathspecs)

    @property
    def child_task_pathspecs(self) -> Iterator[str]:
        """Pathspecs of the tasks that start from this one and have been started."""
        return (task.pathspec for task in self.child_tasks)

    @property
    def child_tasks(self) -> Iterator[Task]:
        """The tasks that start from this one and have been started."""
        flow, run = self._parts[:2]
        for step, task in self._child_task_ids():
            if self._ledger.attempts(flow, run, step, task):
                yield self._related(Task, flow, run, step, task)

    def loglines(
        self, stream: Stream, as_unicode: bool = True, meta_dict: dict[str, str] | None = None
    ) -> Iterator[tuple[datetime.datetime, str | bytes]]:
        """The lines that the attempt printed, with the time (UTC) of each.

        Args:
            stream: ``stdout`` or ``stderr``.
            as_unicode: Whether lines are text; bytes otherwise.
            meta_dict: Not used; kept for callers of Metaflow's client.
        """
        for line in decode_lines(self._ledger.read_log(self._key, stream)):
            yield line.time, line.text.decode("utf-8", "replace") if as_unicode else line.text

    def __iter__(self) -> Iterator[DataArtifact]:
        for name in self._child_ids():
            yield self._child(name)

    @property
    def _record(self) -> DoneRecord | None:
        """How the attempt that this object shows ended; ``None`` while it has not."""
        if self._settled is None:
            self._remember(self._find_record())
        return self._settled if self._settled is not None else self._unsettled

    def _remember(self, record: DoneRecord | None) -> None:
        # A record never changes, but a failed attempt may be followed by another while this object lives.
        if record is not None and (record.finished or self._attempt is not None):
            self._settled = record
        self._unsettled = record

    def _find_record(self) -> DoneRecord | None:
        if self._attempt is not None:
            return self._ledger.done(self._place(self._attempt))
        record = self._ledger.newest_done(*self._parts)
        if record is None or record.finished or record.key.attempt >= self.attempts[-1]:
            return record
        return None

    @property
    def _key(self) -> AttemptKey:
        if self._attempt is not None:
            return self._place(self._attempt)
        record = self._record
        if record is not None:
            return record.key
        started = self.attempts
        return AttemptKey(*self._task_parts, started[-1] if started else 0)

    def _place(self, attempt: int) -> AttemptKey:
        """The attempt's key, in the run that really ran it."""
        flow, run, step, task = self._task_parts
        origin = self._ledger.carried(flow, run).keys(flow, step).get(task)
        own = AttemptKey(flow, run, step, task, attempt)
        is_carried = origin is not None and origin.attempt == attempt and self._ledger.begun(own) is None
        return origin if origin is not None and is_carried else own

    @property
    def _begun(self) -> BeginRecord | None:
        return self._ledger.begun(self._key)

    @property
    def _task_parts(self) -> tuple[str, str, str, str]:
        flow, run, step, task = self._parts
        return flow, run, step, task

    @property
    def _entries(self) -> dict[str, ArtifactEntry]:
        record = self._record
        return record.artifacts if record is not None else {}

    def _text(self, stream: Stream) -> str:
        lines = decode_lines(self._ledger.read_log(self._key, stream))
        return b"".join(line.text + b"\n" for line in lines).decode("utf-8", "replace")

    def _child_task_ids(self) -> Iterator[tuple[str, str]]:
        record = self._record
        if record is None or record.transition is None:
            return
        graph = self.parent.parent.manifest.graph
        for step in record.transition.targets:
            path, width = record.index_path, record.transition.num_splits
            first = 0 if graph[step].is_loop else None
            if step == self._parts[2]:
                yield step, task_id(path, (record.iteration or 0) + 1)
            elif width is not None:
                yield from ((step, task_id((*path, i), first)) for i in range(width))
            else:
                yield step, task_id(path[: len(graph[step].frames)], first)

    def _require_existence(self) -> None:
        attempts = self.attempts
        missing = self._attempt is not None and self._attempt not in attempts
        if not attempts or missing:
            flow, run, step = self._parts[:3]
            exists = f"attempts: {attempts}" if attempts else what_exists(self._ledger, flow, run, step)
            raise self._absent(f"There are {exists}.")

    def _child_ids(self) -> Iterator[str]:
        return (name for name in self._entries if not name.startswith("_"))

    def _has_child(self, id: str) -> bool:
        return id in self._entries or (self._record is not None and id in private_names())

    def _child(self, id: str) -> DataArtifact:
        artifact = self._related(DataArtifact, *self._parts, id, attempt=self._attempt)
        artifact._known = self._entries.get(id)
        if artifact._known is None:
            artifact._made = self._private(id)
        return artifact

    def _private(self, name: str) -> Any:
        """A private artifact that follows from the record.

        Raises:
            KeyError: There is none of this name.
        """
        if self._record is None:
            raise KeyError(name)
        return private_artifact(name, self._record, self.parent.parent.manifest)

    def _facts(self) -> Iterator[tuple[str, object]]:
        record = self._record
        yield "status", self.status
        yield "attempt", self.current_attempt
        yield "created at", self.created_at
        yield "finished at", self.finished_at
        if record is not None and record.exception is not None:
            yield "exception", f"{record.exception.type}: {record.exception.message}"
        yield "artifacts", [f"{a.id} ({a._type}, {a.size} bytes)" for a in self]
