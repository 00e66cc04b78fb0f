"""Deletes what has lost its owners, and empties namespaces that end."""

from __future__ import annotations

import asyncio

from tests.kubernetes_standin.registry import FOREGROUND, Registry
from tests.kubernetes_standin.resources import ALL, EVENTS, NAMESPACES, Resource
from tests.kubernetes_standin.status import Json
from tests.kubernetes_standin.store import Change, ObjectStore


class GarbageCollector:
    """Looks at a namespace after something in it was removed, got an owner, or waits for its dependents."""

    def __init__(self, store: ObjectStore, registry: Registry) -> None:
        self.store = store
        self.registry = registry
        self._due: set[str] = set()
        store.on_change(self._notice)

    def _notice(self, change: Change) -> None:
        latest = change.after or change.before
        if latest is None:
            return
        metadata = latest["metadata"]
        if change.resource is NAMESPACES:
            self._wake(metadata["name"])
        elif (
            change.after is None
            or metadata.get("ownerReferences")
            or FOREGROUND in metadata.get("finalizers", [])
        ):
            self._wake(change.namespace)

    def _wake(self, namespace: str) -> None:
        if namespace not in self._due:
            self._due.add(namespace)
            asyncio.get_running_loop().call_soon(self._collect, namespace)

    def _collect(self, namespace: str) -> None:
        self._due.discard(namespace)
        items = self._contents(namespace)
        live = {item["metadata"]["uid"] for _, item in items}
        for resource, item in items:
            owners = item["metadata"].get("ownerReferences") or []
            if owners and not any(owner["uid"] in live for owner in owners):
                self._delete(resource, item)
            elif FOREGROUND in item["metadata"].get("finalizers", []):
                self._delete_after_dependents(resource, item)
        self._end_namespace(namespace)

    def _contents(self, namespace: str) -> list[tuple[Resource, Json]]:
        return [
            (resource, item)
            for resource in ALL
            if resource.namespaced
            for item in self.store.select(resource, namespace)
        ]

    def _delete(self, resource: Resource, item: Json) -> None:
        metadata = item["metadata"]
        found = self.store.find(resource, metadata["namespace"], metadata["name"])
        if found is not None and not found["metadata"].get("deletionTimestamp"):
            options = {"propagationPolicy": "Background"}
            self.registry.delete(resource, metadata["namespace"], metadata["name"], options)

    def _delete_after_dependents(self, resource: Resource, owner: Json) -> None:
        """Go on with a deletion in the foreground: dependents first, then the owner."""
        dependents = self.registry.dependents(owner)
        for kind, item in dependents:
            self._delete(kind, item)
        if not dependents:
            self.store.remove(resource, owner["metadata"]["namespace"], owner["metadata"]["name"])

    def _end_namespace(self, name: str) -> None:
        """Empty a terminating namespace, and remove it when nothing but events is left."""
        namespace = self.store.find(NAMESPACES, "", name)
        if namespace is None or namespace["status"]["phase"] != "Terminating":
            return
        for resource, item in self._contents(name):
            self._delete(resource, item)
        left = self._contents(name)
        if all(resource is EVENTS for resource, _ in left):
            for resource, event in left:
                self.store.remove(resource, name, event["metadata"]["name"])
            self.store.remove(NAMESPACES, "", name)
