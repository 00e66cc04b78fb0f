"""What an API server does with an object before it stores it: decode, admit, default, validate, version."""

from __future__ import annotations

import copy
import random
import uuid
from typing import Any

from tests.kubernetes_standin import schema
from tests.kubernetes_standin.kubelet import Kubelet
from tests.kubernetes_standin.names import check_metadata
from tests.kubernetes_standin.resources import ALL, JOBS, NAMESPACES, NODES, PODS, Resource
from tests.kubernetes_standin.selectors import Predicate
from tests.kubernetes_standin.status import Cause, Json, bad_request, conflict, forbidden, invalid
from tests.kubernetes_standin.store import ObjectStore, now
from tests.kubernetes_standin.strategies import strategy_of

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
MAX_GENERATED_PREFIX = 58
KEPT_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "generation",
)
FOREGROUND = "foregroundDeletion"
RETURNS_DELETED = ("pods", "serviceaccounts", "persistentvolumeclaims")


def random_suffix() -> str:
    """Five characters as ``generateName`` adds them."""
    return "".join(random.choices(SUFFIX_ALPHABET, k=5))


class Registry:
    """Create, update and delete with an API server's rules. Every refusal is an ``ApiError``."""

    def __init__(self, store: ObjectStore, kubelet: Kubelet) -> None:
        self.store = store
        self.kubelet = kubelet

    def user_resources(self) -> list[Resource]:
        """Everything a client can create, owners before what they own."""
        return [JOBS, *(resource for resource in ALL if resource not in (JOBS, NODES))]

    def create(self, resource: Resource, namespace: str, body: Any, *, dry_run: bool = False) -> Json:
        """Admit, validate and store a new object."""
        item, causes = self._decode(resource, body)
        metadata = item["metadata"]
        if resource.namespaced:
            self._demand_namespace(resource, namespace, metadata)
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        for name in KEPT_METADATA:
            metadata.pop(name, None)
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = metadata["generateName"][:MAX_GENERATED_PREFIX] + random_suffix()
        strategy = strategy_of(resource)
        if not causes:
            strategy.admit(item, self.store)
            strategy.default(item)
            causes = check_metadata(metadata, resource.name_rule) + strategy.validate(item)
        if causes:
            raise invalid(resource.kind, resource.group, metadata.get("name") or "", causes)
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now())
        strategy.begin(item)
        return item if dry_run else self.store.create(resource, item)

    def _decode(self, resource: Resource, body: Any) -> tuple[Json, list[Cause]]:
        """A copy of the body as an object of that type, and its missing fields."""
        if not isinstance(body, dict):
            raise bad_request(f"the body of the request is not a {resource.kind}")
        for name, wanted in (("kind", resource.kind), ("apiVersion", resource.api_version)):
            given = body.get(name)
            if given not in (None, "", wanted):
                raise bad_request(
                    f"the object provided is unrecognized (must be of type {resource.kind}): "
                    f"{name} is {given!r}, expected {wanted!r}"
                )
        causes = schema.check_body(body, resource.kind, resource.api_version, resource.model)
        item = _without_nulls(
            {"kind": resource.kind, "apiVersion": resource.api_version, **copy.deepcopy(body)}
        )
        item.update(kind=resource.kind, apiVersion=resource.api_version)
        item.setdefault("metadata", {})
        return item, causes

    def _demand_namespace(self, resource: Resource, namespace: str, metadata: Json) -> None:
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = namespace
        owner = self.store.get(NAMESPACES, "", namespace)
        if owner["status"]["phase"] == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource.plural, resource.group, metadata.get("name") or "", why)

    def update(
        self, resource: Resource, namespace: str, name: str, body: Any, *, dry_run: bool = False
    ) -> Json:
        """Replace an object by a changed one, keeping what clients cannot change."""
        before = self.store.get(resource, namespace, name)
        item, causes = self._decode(resource, body)
        metadata = item["metadata"]
        _demand_identity(resource, before, metadata, name, namespace)
        for key in KEPT_METADATA:
            if key in before["metadata"]:
                metadata[key] = before["metadata"][key]
            else:
                metadata.pop(key, None)
        if "status" in before:
            item["status"] = before["status"]
        strategy = strategy_of(resource)
        strategy.default(item)
        causes += check_metadata(metadata, resource.name_rule) + strategy.validate_update(before, item)
        if causes:
            raise invalid(resource.kind, resource.group, name, causes)
        if dry_run:
            return item
        stored = self.store.update(resource, namespace, name, lambda stored: _become(stored, item))
        if _deletable(stored):
            return self.store.remove(resource, namespace, name)
        return stored

    def delete(self, resource: Resource, namespace: str, name: str, options: Json) -> Json:
        """Delete, or begin to: pods take their grace, namespaces and finalizers their time. Gives the object."""
        item = self.store.get(resource, namespace, name)
        _demand_preconditions(resource, item, options.get("preconditions") or {})
        if "All" in (options.get("dryRun") or []):
            return item
        if resource is PODS:
            return self._delete_pod(item, options.get("gracePeriodSeconds"))
        if resource is NAMESPACES:
            return self.store.update(NAMESPACES, "", name, _terminate_namespace)
        default = "Orphan" if resource is JOBS and options.get("orphanDependents", True) else "Background"
        policy = options.get("propagationPolicy") or default
        if policy == "Orphan":
            self._orphan_dependents(item)
        if policy == "Foreground" and self.dependents(item):
            return self.store.update(resource, namespace, name, _await_dependents)
        if item["metadata"].get("finalizers"):
            return self.store.update(resource, namespace, name, lambda stored: _mark(stored, 0))
        return self.store.remove(resource, namespace, name)

    def dependents(self, owner: Json) -> list[tuple[Resource, Json]]:
        """What an object owns, in its namespace."""
        namespace, owned = owner["metadata"].get("namespace", ""), owned_by(owner)
        return [
            (resource, item)
            for resource in ALL
            if resource.namespaced
            for item in self.store.select(resource, namespace, owned)
        ]

    def _orphan_dependents(self, owner: Json) -> None:
        uid = owner["metadata"]["uid"]

        def disown(stored: Json) -> None:
            others = [entry for entry in stored["metadata"]["ownerReferences"] if entry["uid"] != uid]
            stored["metadata"]["ownerReferences"] = others
            if not others:
                del stored["metadata"]["ownerReferences"]

        for resource, item in self.dependents(owner):
            self.store.update(resource, item["metadata"]["namespace"], item["metadata"]["name"], disown)

    def _delete_pod(self, pod: Json, grace: int | None) -> Json:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        seconds = pod["spec"]["terminationGracePeriodSeconds"] if grace is None else max(grace, 0)
        if pod["status"]["phase"] in ("Succeeded", "Failed") or not pod["spec"].get("nodeName"):
            seconds = 0
        if seconds == 0 and not pod["metadata"].get("finalizers"):
            return self.store.remove(PODS, namespace, name)
        earlier = pod["metadata"].get("deletionGracePeriodSeconds")
        if earlier is None:
            return self.store.update(PODS, namespace, name, lambda stored: _mark(stored, seconds))
        if seconds < earlier:
            marked = self.store.update(PODS, namespace, name, lambda stored: _mark(stored, seconds))
            runner = self.kubelet.runner(pod)
            if runner is not None:
                runner.stop(seconds)
            return marked
        return pod


def owned_by(owner: Json) -> Predicate:
    """Selects what ``owner`` owns."""
    uid = owner["metadata"]["uid"]
    return lambda item: any(entry["uid"] == uid for entry in item["metadata"].get("ownerReferences") or [])


def _await_dependents(item: Json) -> None:
    _mark(item, 0)
    finalizers = item["metadata"].setdefault("finalizers", [])
    if FOREGROUND not in finalizers:
        finalizers.append(FOREGROUND)


def _terminate_namespace(item: Json) -> None:
    _mark(item, 0)
    item["status"]["phase"] = "Terminating"


def _become(stored: Json, item: Json) -> None:
    stored.clear()
    stored.update(item)


def _mark(item: Json, seconds: int) -> None:
    item["metadata"].setdefault("deletionTimestamp", now())
    item["metadata"]["deletionGracePeriodSeconds"] = seconds


def _deletable(item: Json) -> bool:
    """Whether only its finalizers kept it."""
    metadata = item["metadata"]
    return bool(metadata.get("deletionTimestamp")) and metadata.get("deletionGracePeriodSeconds") == 0 and not (
        metadata.get("finalizers") or item["kind"] == "Namespace"
    )  # fmt: skip


def _demand_identity(resource: Resource, before: Json, metadata: Json, name: str, namespace: str) -> None:
    if metadata.get("name", name) != name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["name"] = name
    if namespace:
        metadata["namespace"] = namespace
    wanted = {key: metadata[key] for key in ("uid", "resourceVersion") if metadata.get(key)}
    _demand_preconditions(resource, before, wanted)


def _demand_preconditions(resource: Resource, item: Json, wanted: Json) -> None:
    metadata = item["metadata"]
    if wanted.get("uid") not in (None, metadata["uid"]):
        why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {metadata['uid']}"
        raise conflict(resource.plural, resource.group, metadata["name"], why)
    if wanted.get("resourceVersion") not in (None, metadata["resourceVersion"]):
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise conflict(resource.plural, resource.group, metadata["name"], why)


def _without_nulls(value: Any) -> Any:
    """JSON null is the same as absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
