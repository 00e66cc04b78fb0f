"""``Trigger``: the events and runs that started a run."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.run import Run

EventType = Literal["event", "run"]


class MetaflowEvent(NamedTuple):
    """One thing that happened.

    Attributes:
        name: Name of the event; of a run, that of the asset it updates.
        id: What tells it from others; of a run, the pathspec of its end task or its own.
        timestamp: When it happened, in UTC.
        type: ``event``, or ``run`` for the end of a run.
    """

    name: str
    id: str
    timestamp: datetime.datetime
    type: EventType


class Trigger:
    """What started a run: events, and runs of other flows.

    Args:
        _meta: The events as a run's record holds them: dicts of ``name``, ``id``, ``timestamp`` (Unix seconds) and ``type``.
        _store: URL of the store of the runs; the active one by default.
    """

    def __init__(self, _meta: Sequence[Mapping[str, Any]] = (), _store: str | None = None) -> None:
        self._store = _store
        events = [
            MetaflowEvent(
                name=str(meta["name"]),
                id=str(meta["id"]),
                timestamp=datetime.datetime.fromtimestamp(float(meta["timestamp"]), datetime.timezone.utc),
                type="run" if meta.get("type") == "run" else "event",
            )
            for meta in _meta
        ]
        self._events = sorted(events, key=lambda event: event.timestamp, reverse=True)

    @classmethod
    def from_runs(cls, runs: Sequence[Run]) -> Trigger:
        """The trigger of a run that these runs would have started."""
        return cls([run_event(run) for run in runs], runs[0]._store if runs else None)

    @property
    def event(self) -> MetaflowEvent | None:
        """The newest event."""
        return next(iter(self._events), None)

    @property
    def events(self) -> list[MetaflowEvent]:
        """All events, newest first."""
        return list(self._events)

    @property
    def run(self) -> Run | None:
        """The newest run among them, ``None`` if there is none."""
        return next(self._runs(), None)

    @property
    def runs(self) -> list[Run]:
        """The runs among them, newest first."""
        return list(self._runs())

    def __getitem__(self, name: str) -> Run | MetaflowEvent:
        """The run of a flow, or the event of a name.

        Raises:
            KeyError: There is none.
        """
        for run in self._runs():
            if run.path_components[0] == name:
                return run
        for event in self._events:
            if event.name == name:
                return event
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        flows = {event.id.split("/")[0] for event in self._events if event.type == "run"}
        return name in flows or any(event.name == name for event in self._events)

    def __iter__(self) -> Iterator[MetaflowEvent]:
        return iter(self._events)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trigger) and self._events == other._events

    def __hash__(self) -> int:
        return hash(tuple(self._events))

    def __repr__(self) -> str:
        return f"<Trigger: {', '.join(event.name for event in self._events)}>"

    def _runs(self) -> Iterator[Run]:
        from airflow_mlflow_provider.client.run import Run

        for event in self._events:
            if event.type == "run":
                pathspec = "/".join(event.id.split("/")[:2])
                yield Run(pathspec, _namespace_check=False, _store=self._store)


def run_event(run: Run) -> dict[str, Any]:
    """A run that has succeeded, as an event."""
    ended = run.ended_at or run.created_at
    return {
        "name": f"metaflow.{run.path_components[0]}.end",
        "id": run.end_task.pathspec if run.end_task is not None else run.pathspec,
        "timestamp": ended.timestamp(),
        "type": "run",
    }
