"""The objects of the cluster, their versions, and the history that watches read."""

from __future__ import annotations

import asyncio
import copy
import datetime
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tests.kubernetes_standin.resources import Resource
from tests.kubernetes_standin.selectors import Predicate
from tests.kubernetes_standin.status import ApiError, Json, already_exists, gone, not_found

HISTORY_LENGTH = 50_000
"""Changes kept for watches that resume; older resource versions answer 410."""


def now() -> str:
    """The time as Kubernetes writes it: whole seconds, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Change:
    """One entry of the history; ``before`` and ``after`` are None where the object did not exist."""

    version: int
    resource: Resource
    namespace: str
    before: Json | None
    after: Json | None


@dataclass(frozen=True)
class WatchEvent:
    """What a watch tells a client."""

    kind: str
    item: Json


@dataclass
class ObjectStore:
    """Objects by resource, namespace and name. Stored objects are never changed in place; an update makes a new one."""

    version: int = 1
    _objects: dict[Resource, dict[tuple[str, str], Json]] = field(default_factory=dict)
    _history: deque[Change] = field(default_factory=lambda: deque(maxlen=HISTORY_LENGTH))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _listeners: list[Callable[[Change], None]] = field(default_factory=list)

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call ``listener`` after every change, from inside the call that made it."""
        self._listeners.append(listener)

    def find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """The object, or None."""
        return self._objects.get(resource, {}).get((namespace, name))

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """The object. Raises ``ApiError`` 404."""
        item = self.find(resource, namespace, name)
        if item is None:
            raise not_found(resource.plural, resource.group, name)
        return item

    def select(
        self, resource: Resource, namespace: str = "", selected: Predicate = lambda _: True
    ) -> list[Json]:
        """Objects of one namespace (all when empty), ordered by namespace and name."""
        items = sorted(self._objects.get(resource, {}).items())
        return [item for (owner, _), item in items if namespace in ("", owner) and selected(item)]

    def create(self, resource: Resource, item: Json) -> Json:
        """Store a new object and give it its version. Raises ``ApiError`` 409."""
        metadata = item["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        if key in self._objects.setdefault(resource, {}):
            raise already_exists(resource.plural, resource.group, key[1])
        stored = copy.deepcopy(item)
        stored["metadata"].setdefault("uid", str(uuid.uuid4()))
        stored["metadata"].setdefault("creationTimestamp", now())
        return self._commit(resource, key, None, stored)

    def update(self, resource: Resource, namespace: str, name: str, mutate: Callable[[Json], None]) -> Json:
        """Let ``mutate`` change a copy, and store it if it differs. Raises ``ApiError`` 404."""
        before = self.get(resource, namespace, name)
        after = copy.deepcopy(before)
        mutate(after)
        if after == before:
            return before
        return self._commit(resource, (namespace, name), before, after)

    def remove(self, resource: Resource, namespace: str, name: str) -> Json:
        """Delete an object at once; gives its last state. Raises ``ApiError`` 404."""
        before = self.get(resource, namespace, name)
        del self._objects[resource][(namespace, name)]
        last = copy.deepcopy(before)
        self._stamp(last)
        self._record(Change(self.version, resource, namespace, last, None))
        return last

    def _commit(self, resource: Resource, key: tuple[str, str], before: Json | None, after: Json) -> Json:
        self._stamp(after)
        self._objects[resource][key] = after
        self._record(Change(self.version, resource, key[0], before, after))
        return after

    def _stamp(self, item: Json) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)

    def _record(self, change: Change) -> None:
        self._history.append(change)
        self._changed.set()
        self._changed = asyncio.Event()
        for listener in self._listeners:
            listener(change)

    async def watch(
        self,
        resource: Resource,
        namespace: str,
        selected: Predicate,
        since: int | None,
        seconds: float | None,
    ) -> AsyncIterator[WatchEvent]:
        """Changes after version ``since`` (None: first the objects there are), for ``seconds`` (None: no end)."""
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        if since is None:
            since = self.version
            for item in self.select(resource, namespace, selected):
                yield WatchEvent("ADDED", item)
        self._demand_history(since)
        while True:
            changed = self._changed
            for change in self._after(since):
                since = change.version
                event = _event(change, resource, namespace, selected)
                if event is not None:
                    yield event
            if changed is not self._changed:
                continue
            left = None if end is None else end - loop.time()
            try:
                await asyncio.wait_for(changed.wait(), left)
            except asyncio.TimeoutError:
                return

    def _demand_history(self, since: int) -> None:
        full = len(self._history) == HISTORY_LENGTH
        if full and since < self._history[0].version - 1:
            raise gone(f"too old resource version: {since} ({self._history[0].version})")
        if since > self.version:
            detail = f"Too large resource version: {since}, current: {self.version}"
            raise ApiError(504, "Timeout", detail, {"retryAfterSeconds": 1})

    def _after(self, since: int) -> list[Change]:
        newer: list[Change] = []
        for change in reversed(self._history):
            if change.version <= since:
                break
            newer.append(change)
        newer.reverse()
        return newer


def _event(change: Change, resource: Resource, namespace: str, selected: Predicate) -> WatchEvent | None:
    """The event for a watch of that selection: an object that leaves the selection is DELETED for it."""
    if change.resource != resource or namespace not in ("", change.namespace):
        return None
    was = change.before is not None and selected(change.before)
    if change.after is not None and selected(change.after):
        return WatchEvent("MODIFIED" if was else "ADDED", change.after)
    if was:
        return WatchEvent("DELETED", change.after or change.before or {})
    return None
