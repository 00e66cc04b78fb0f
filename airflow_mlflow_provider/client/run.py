"""``Run``: one execution of a flow."""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mlflow_provider.client.code import MetaflowCode
from airflow_mlflow_provider.client.core import MetaflowObject, moment
from airflow_mlflow_provider.client.data import MetaflowData
from airflow_mlflow_provider.client.heartbeat import is_lost
from airflow_mlflow_provider.client.step import Step
from airflow_mlflow_provider.client.tagging import change_tags
from airflow_mlflow_provider.client.trigger import Trigger
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, ROOT_TASK_ID
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.store.records import RunEnd, RunRecord, RunStatus
from airflow_mlflow_provider.store.user_tags import user_tags

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.flow import Flow
    from airflow_mlflow_provider.client.task import Task

Tags = str | Iterable[str]


class Run(MetaflowObject[Step]):
    """One execution of a flow: its steps, latest first."""

    SHAPE: ClassVar[str] = "Flow/run"

    @property
    def parent(self) -> Flow:
        """The flow."""
        from airflow_mlflow_provider.client.flow import Flow

        return self._related(Flow, self._parts[0])

    @property
    def created_at(self) -> datetime.datetime:
        """When the run was started."""
        return moment(self._record.created_at)

    @property
    def user_tags(self) -> frozenset[str]:
        """Tags that users gave."""
        return user_tags(self._ledger, self._record)

    @property
    def system_tags(self) -> frozenset[str]:
        """Tags that this package gave."""
        return frozenset(self._record.system_tags)

    @property
    def origin_pathspec(self) -> str | None:
        """Pathspec of the run that this one resumes."""
        origin = self._record.origin
        return f"{self._parts[0]}/{origin}" if origin else None

    @property
    def data(self) -> MetaflowData | None:
        """Artifacts of the end task; ``None`` before it has finished."""
        task = self.end_task
        return task.data if task is not None else None

    @property
    def end_task(self) -> Task | None:
        """The task of the end step, once it has finished."""
        end = self.manifest.graph.end
        flow, run = self._parts
        record = self._ledger.newest_done(flow, run, end, ROOT_TASK_ID)
        if record is None or not record.finished:
            return None
        from airflow_mlflow_provider.client.task import Task

        return self._related(Task, flow, run, end, ROOT_TASK_ID)

    @property
    def successful(self) -> bool:
        """Whether the end task finished without a failure that was caught."""
        task = self.end_task
        return task is not None and task.successful

    @property
    def finished(self) -> bool:
        """Whether the end task finished; a failed run never does."""
        return self.end_task is not None

    @property
    def finished_at(self) -> datetime.datetime | None:
        """When the end task finished."""
        task = self.end_task
        return task.finished_at if task is not None else None

    @property
    def status(self) -> RunStatus:
        """``pending``, ``running``, ``succeeded``, ``failed`` or ``terminated``.

        A run whose heartbeat stopped counts as failed.
        """
        end = self._end
        if end is not None:
            return end.status
        if self.end_task is not None:
            return "succeeded"
        if is_lost(self._ledger, self._record, time.time()):
            return "failed"
        return "running" if self._ledger.steps(*self._parts) else "pending"

    @property
    def failed(self) -> bool:
        """Whether the run has failed or was terminated."""
        return self.status in ("failed", "terminated")

    @property
    def reason(self) -> str:
        """Why the run ended as it did; ``lost`` when its heartbeat stopped."""
        end = self._end
        if end is not None:
            return end.reason
        return "lost" if self.status == "failed" else ""

    @property
    def ended_at(self) -> datetime.datetime | None:
        """When the run ended, however it did."""
        end = self._end
        return moment(end.ended_at) if end is not None else self.finished_at

    @property
    def failed_tasks(self) -> list[Task]:
        """Tasks that used up their attempts."""
        from airflow_mlflow_provider.client.task import Task

        end = self._end
        paths = end.failed_tasks if end is not None else ()
        return [self._related(Task, *path.split("/")) for path in paths]

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the run's parameters by name, as JSON: those given to it, and the defaults of the others."""
        defaults = {spec.name: _listed(spec) for spec in self.manifest.parameters}
        return {**defaults, **self._record.parameters}

    @property
    def code(self) -> MetaflowCode | None:
        """The code that the run was started with."""
        digest = self._record.code
        return MetaflowCode(self._ledger, digest, self.manifest.code.script) if digest else None

    @property
    def manifest(self) -> FlowManifest:
        """The flow as data, as it was when the run started."""
        return _manifest(self._ledger, self._record.manifest)

    @property
    def trigger(self) -> Trigger | None:
        """What events and runs started the run; ``None`` if it was started in another way."""
        events = self._record.trigger.get("events")
        return Trigger(events, self._store) if events else None

    @property
    def airflow_url(self) -> str | None:
        """Address of the run in the Airflow UI, if Airflow ran it and its address is known."""
        from urllib.parse import quote

        from airflow_mlflow_provider.configuration import get

        airflow, root = self._record.airflow, get("api_url")
        if not airflow or not root:
            return None
        dag, run = (quote(str(airflow[key]), safe="") for key in ("dag_id", "dag_run_id"))
        return f"{root.rstrip('/')}/dags/{dag}/runs/{run}"

    def steps(self, *tags: str) -> Iterator[Step]:
        """The steps, latest first, if the run has all of ``tags``."""
        return iter(self) if self.tags.issuperset(tags) else iter(())

    def reproduce(self) -> dict[str, Any]:
        """What is needed to run the same again.

        Returns:
            ``command`` (the arguments of ``python``), ``code`` (digest), ``python``, ``provider``, ``environment``.
        """
        from airflow_mlflow_provider.client.reproduce import command_line

        record = self._record
        return {
            "command": command_line(self.manifest, record),
            "code": record.code,
            "python": record.python,
            "provider": record.provider,
            "environment": self.manifest.environment,
        }

    def add_tag(self, tag: Tags) -> None:
        """Add one tag, or several."""
        self.replace_tags((), tag)

    def add_tags(self, tags: Tags) -> None:
        """Add tags."""
        self.replace_tags((), tags)

    def remove_tag(self, tag: Tags) -> None:
        """Remove one tag, or several."""
        self.replace_tags(tag, ())

    def remove_tags(self, tags: Tags) -> None:
        """Remove tags."""
        self.replace_tags(tags, ())

    def replace_tag(self, tag_to_remove: Tags, tag_to_add: Tags) -> None:
        """Remove and add tags in one atomic change."""
        self.replace_tags(tag_to_remove, tag_to_add)

    def replace_tags(self, tags_to_remove: Tags, tags_to_add: Tags) -> None:
        """Remove and add tags in one atomic change.

        Raises:
            MetaflowTaggingError: A tag breaks a rule, or a system tag was to be removed.
        """
        change_tags(self._ledger, self._record, _as_list(tags_to_remove), _as_list(tags_to_add))

    @functools.cached_property
    def _record(self) -> RunRecord:
        return self._ledger.run(*self._parts)

    @property
    def _end(self) -> RunEnd | None:
        return self._ledger.run_end(*self._parts)

    def _facts(self) -> Iterator[tuple[str, object]]:
        yield "status", self.status
        yield "created at", self.created_at
        yield "ended at", self.ended_at
        yield "parameters", [f"{name} = {value!r}" for name, value in self.parameters.items()]
        yield "steps", [step.id for step in self]
        yield "failed tasks", [task.pathspec for task in self.failed_tasks]
        yield "tags", sorted(self.tags)

    def _require_existence(self) -> None:
        _ = self._record

    def _child_ids(self) -> Iterator[str]:
        order = {name: position for position, name in enumerate(self.manifest.graph.topological())}
        started = [s for s in self._ledger.steps(*self._parts) if s != PARAMETERS_STEP]
        return iter(sorted(started, key=lambda step: -order.get(step, -1)))

    def _has_child(self, id: str) -> bool:
        if id == PARAMETERS_STEP:
            # Not among the steps that one walks through, as with Metaflow.
            return id in self._ledger.steps(*self._parts)
        return super()._has_child(id)

    def _child(self, id: str) -> Step:
        return self._related(Step, *self._parts, id)


@functools.lru_cache(maxsize=256)
def _manifest(ledger: Any, digest: str) -> FlowManifest:
    return decode(ledger.blob(digest), f"manifest {digest}")


def _listed(spec: ParameterSpec) -> Any:
    """A parameter's default; one that is split at a separator is a list to the steps."""
    is_text = spec.separator is not None and isinstance(spec.default, str)
    return spec.default.split(spec.separator) if is_text else spec.default


def _as_list(tags: Tags) -> list[str]:
    # What can be no tag is refused with the others.
    single = isinstance(tags, str) or not hasattr(tags, "__iter__")
    return [tags] if single else list(tags)  # type: ignore[list-item]
