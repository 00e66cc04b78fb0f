"""``/version``, ``/api`` and ``/apis``: what clients read to find out what is served."""

from __future__ import annotations

import platform

from tests.kubernetes_standin.resources import ALL, Resource
from tests.kubernetes_standin.status import Json

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0-standin",
    "gitTreeState": "clean",
    "compiler": "none",
}


def document(path: str) -> Json | None:
    """The discovery document at ``path``; None when there is none."""
    if path == "/version":
        return {
            **VERSION,
            "platform": f"linux/{platform.machine()}",
            "goVersion": "",
            "gitCommit": "",
            "buildDate": "",
        }
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group("batch")]}
    if path == "/apis/batch":
        return {"kind": "APIGroup", "apiVersion": "v1", **_group("batch")}
    versions = {"/api/v1": "v1", "/apis/batch/v1": "batch/v1"}
    if path in versions:
        served = [resource for resource in ALL if resource.api_version == versions[path]]
        entries = [entry for resource in served for entry in _entries(resource)]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": versions[path],
            "resources": entries,
        }
    return None


def _group(name: str) -> Json:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _entries(resource: Resource) -> list[Json]:
    common = {"namespaced": resource.namespaced, "kind": resource.kind, "singularName": ""}
    main = {
        **common,
        "name": resource.plural,
        "verbs": list(resource.verbs),
        "shortNames": list(resource.short_names),
    }
    return [main] + [
        {
            **common,
            "name": f"{resource.plural}/{name}",
            "verbs": ["create", "get"] if name == "exec" else ["get"],
        }
        for name in resource.subresources
    ]
