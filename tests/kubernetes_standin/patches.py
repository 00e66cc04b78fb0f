"""The three patch formats clients send: JSON merge, strategic merge and JSON patch."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer

from tests.kubernetes_standin.status import Json, bad_request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "secrets": "name",
    "hostAliases": "ip",
    "ownerReferences": "uid",
    "conditions": "type",
    "topologySpreadConstraints": "topologyKey",
}
"""Lists a strategic merge merges by a key; it replaces every other list, except ``finalizers``."""


def apply(item: Json, patch: Any, content_type: str) -> Json:
    """The patched copy of ``item``. Raises ``ApiError`` 400 (or 422 for a failing JSON patch operation)."""
    if content_type == JSON_PATCH:
        return _json_patch(item, patch)
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    if content_type == MERGE_PATCH:
        return merge(item, patch)
    return _strategic_object(item, patch)


def _json_patch(item: Json, patch: Any) -> Json:
    if not isinstance(patch, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    try:
        patched = jsonpatch.apply_patch(copy.deepcopy(item), patch)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise bad_request(
            f"the server rejected our request due to an error in our request: {error}"
        ) from error
    return dict(patched)


def merge(item: Json, patch: Json) -> Json:
    """RFC 7386: null deletes, objects merge, everything else replaces."""
    merged = copy.deepcopy(item)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            below = merged.get(name)
            merged[name] = merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[name] = copy.deepcopy(value)
    return merged


def _strategic_object(item: Json, patch: Json) -> Json:
    if patch.get("$patch") == "replace":
        return {name: copy.deepcopy(value) for name, value in patch.items() if name != "$patch"}
    merged = copy.deepcopy(item)
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            below = merged.get(name)
            merged[name] = _strategic_object(below if isinstance(below, dict) else {}, value)
        elif isinstance(value, list):
            merged[name] = _strategic_list(name, merged.get(name) or [], value)
        else:
            merged[name] = value
    return merged


def _strategic_list(name: str, items: list[Any], patch: list[Any]) -> list[Any]:
    if name == "finalizers":
        return [*items, *(value for value in patch if value not in items)]
    key = MERGE_KEYS.get(name)
    if key is None or any(not isinstance(entry, dict) for entry in patch):
        return copy.deepcopy(patch)
    if any(entry.get("$patch") == "replace" for entry in patch):
        return [copy.deepcopy(entry) for entry in patch if entry.get("$patch") != "replace"]
    merged = {entry.get(key): copy.deepcopy(entry) for entry in items}
    for entry in patch:
        if entry.get("$patch") == "delete":
            merged.pop(entry.get(key), None)
        elif entry.get(key) is None:
            raise bad_request(f"map: {entry} does not contain declared merge key: {key}")
        else:
            merged[entry[key]] = _strategic_object(merged.get(entry[key], {}), entry)
    return list(merged.values())
