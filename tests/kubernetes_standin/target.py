"""What a request asks for: the resource, the object and the verb, from its path and method."""

from __future__ import annotations

from dataclasses import dataclass

from tests.kubernetes_standin.resources import BY_PATH, NAMESPACES, Resource
from tests.kubernetes_standin.status import method_not_allowed, unknown_path


@dataclass(frozen=True)
class Target:
    """A resource collection, an object, or a subresource of one."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    def verb(self, method: str, *, watch: bool) -> str:
        """The API verb of an HTTP method here. Raises ``ApiError`` 405."""
        if self.subresource:
            return self._subresource_verb(method)
        if self.name:
            verbs = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        else:
            verbs = {"GET": "watch" if watch else "list", "DELETE": "deletecollection"}
            if self.namespace or not self.resource.namespaced:
                verbs["POST"] = "create"
        verb = verbs.get(method, "")
        everywhere = self.resource.namespaced and not self.namespace
        if verb not in self.resource.verbs or (everywhere and verb == "deletecollection"):
            raise method_not_allowed()
        return verb

    def _subresource_verb(self, method: str) -> str:
        allowed = {"status": {"GET": "get"}, "log": {"GET": "get"}, "exec": {"GET": "get", "POST": "create"}}
        verb = allowed[self.subresource].get(method)
        if verb is None:
            raise method_not_allowed()
        return verb


def parse(path: str) -> Target:
    """The target of ``/api/v1/…`` or ``/apis/GROUP/VERSION/…``. Raises ``ApiError`` 404."""
    parts = path.strip("/").split("/")
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise unknown_path()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in NAMESPACES.subresources:
        namespace, rest = rest[1], rest[2:]
    resource = BY_PATH.get((group, version, rest[0]))
    if resource is None or len(rest) > 3 or "" in rest or (namespace and not resource.namespaced):
        raise unknown_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if name and resource.namespaced and not namespace:
        raise unknown_path()
    if subresource and subresource not in resource.subresources:
        raise unknown_path()
    return Target(resource, namespace, name, subresource)
