"""The cluster's event log: what ``kubectl describe pod`` shows at its end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from tests.kubernetes_standin.resources import EVENTS
from tests.kubernetes_standin.status import Json
from tests.kubernetes_standin.store import ObjectStore, now


@dataclass
class EventRecorder:
    """Writes ``Event`` objects; the same event about the same object again only raises its count."""

    store: ObjectStore
    _names: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def record(self, about: Json, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """Add an event of type ``kind`` (Normal or Warning) about an object."""
        metadata = about["metadata"]
        reference = {
            "kind": about["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": metadata["resourceVersion"],
            **({"fieldPath": field_path} if field_path else {}),
        }
        identity = (metadata["uid"], field_path, reason, message)
        earlier = self._names.get(identity, "")
        if self.store.find(EVENTS, metadata["namespace"], earlier) is not None:
            self.store.update(EVENTS, metadata["namespace"], earlier, _count)
            return
        moment, component = now(), "default-scheduler" if "Schedul" in reason else "kubelet"
        event: Json = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {
                "name": f"{metadata['name']}.{secrets.token_hex(8)}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": reference,
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
            "type": kind,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": "",
        }
        self._names[identity] = event["metadata"]["name"]
        self.store.create(EVENTS, event)


def _count(event: Json) -> None:
    event["count"] += 1
    event["lastTimestamp"] = now()
