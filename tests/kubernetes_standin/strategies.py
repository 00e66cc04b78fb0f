"""What differs between resource types: admission, defaults, validation, first status."""

from __future__ import annotations

import base64
import secrets as random_source

from tests.kubernetes_standin import defaults, quantity
from tests.kubernetes_standin.job_validation import default_job, validate_job, validate_job_update
from tests.kubernetes_standin.names import check, config_key
from tests.kubernetes_standin.pod_validation import check_pod_spec, check_pod_update
from tests.kubernetes_standin.resources import (
    CLAIMS,
    CONFIG_MAPS,
    JOBS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Resource,
)
from tests.kubernetes_standin.status import Cause, Json, forbidden
from tests.kubernetes_standin.store import ObjectStore

MAX_DATA_BYTES = 1024 * 1024
PRIORITY_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
IMMUTABLE = "field is immutable when `immutable` is set"


class Strategy:
    """Nothing special: the rules of a ServiceAccount or an Event."""

    def admit(self, item: Json, store: ObjectStore) -> None:
        """Change or refuse a new object by looking at others. Raises ``ApiError``."""

    def default(self, item: Json) -> None:
        """Fill in what was left out, in place."""

    def validate(self, item: Json) -> list[Cause]:
        """What is wrong with a new object."""
        del item
        return []

    def validate_update(self, before: Json, item: Json) -> list[Cause]:
        """What is wrong with a changed object."""
        del before
        return self.validate(item)

    def begin(self, item: Json) -> None:
        """Give a new object its first status, in place."""


class PodStrategy(Strategy):
    """Pods: ServiceAccount admission, the long list of rules, and a specification that cannot change."""

    def admit(self, item: Json, store: ObjectStore) -> None:
        spec, metadata = item.setdefault("spec", {}), item["metadata"]
        admit_pod_classes(spec, metadata.get("name") or "")
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
        account = store.find(SERVICE_ACCOUNTS, metadata["namespace"], name)
        if account is None:
            why = f'error looking up service account {metadata["namespace"]}/{name}: serviceaccount "{name}" not found'
            raise forbidden(PODS.plural, "", metadata.get("name") or "", why)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]
        defaults.admit_service_account(spec, account, random_source.token_hex(3)[:5])

    def default(self, item: Json) -> None:
        defaults.default_pod_spec(item["spec"])

    def validate(self, item: Json) -> list[Cause]:
        return check_pod_spec(item["spec"], "spec")

    def validate_update(self, before: Json, item: Json) -> list[Cause]:
        return check_pod_update(before, item) or self.validate(item)

    def begin(self, item: Json) -> None:
        item["status"] = {"phase": "Pending", "qosClass": defaults.quality_of_service(item["spec"])}


def admit_pod_classes(spec: Json, name: str) -> None:
    """Priority and runtime classes must exist; tolerations every pod gets are added."""
    priority, runtime = spec.get("priorityClassName"), spec.get("runtimeClassName")
    if priority and priority not in PRIORITY_CLASSES:
        raise forbidden(PODS.plural, "", name, f"no PriorityClass with name {priority} was found")
    if runtime:
        raise forbidden(PODS.plural, "", name, f'pod rejected: RuntimeClass "{runtime}" not found')
    spec["priority"] = PRIORITY_CLASSES.get(priority or "", 0)
    spec["preemptionPolicy"] = spec.get("preemptionPolicy") or "PreemptLowerPriority"
    tolerations = spec["tolerations"] = list(spec.get("tolerations") or [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(entry.get("key") in (None, "", key) for entry in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )


class DataStrategy(Strategy):
    """Secrets and ConfigMaps."""

    def default(self, item: Json) -> None:
        if item["kind"] != "Secret":
            return
        item.setdefault("type", "Opaque")
        plain = item.pop("stringData", None) or {}
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        if encoded:
            item["data"] = {**(item.get("data") or {}), **encoded}

    def validate(self, item: Json) -> list[Cause]:
        causes: list[Cause] = []
        total = 0
        for field in ("data", "binaryData"):
            for key, value in (item.get(field) or {}).items():
                causes += check(config_key, key, f"{field}[{key}]")
                total += len(value.encode())
        if total > MAX_DATA_BYTES:
            causes.append(Cause.too_long("data" if item["kind"] == "Secret" else "", MAX_DATA_BYTES))
        shared = (item.get("data") or {}).keys() & (item.get("binaryData") or {}).keys()
        causes += [
            Cause.invalid(f"data[{key}]", key, "duplicate of key present in binaryData") for key in shared
        ]
        if item.get("type") == "kubernetes.io/dockerconfigjson" and ".dockerconfigjson" not in (
            item.get("data") or {}
        ):
            causes.append(Cause.required("data[.dockerconfigjson]"))
        return causes

    def validate_update(self, before: Json, item: Json) -> list[Cause]:
        causes = self.validate(item)
        if before.get("type") != item.get("type"):
            causes.append(Cause.invalid("type", item.get("type"), "field is immutable"))
        if before.get("immutable"):
            fields = [
                name for name in ("data", "binaryData", "immutable") if before.get(name) != item.get(name)
            ]
            causes += [Cause.forbidden(name, IMMUTABLE) for name in fields]
        return causes


class NamespaceStrategy(Strategy):
    """Namespaces are active at once."""

    def default(self, item: Json) -> None:
        item.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        labels = item["metadata"].setdefault("labels", {})
        labels.setdefault("kubernetes.io/metadata.name", item["metadata"].get("name", ""))

    def begin(self, item: Json) -> None:
        item["status"] = {"phase": "Active"}


class ClaimStrategy(Strategy):
    """Claims are bound at once, to a directory."""

    def validate(self, item: Json) -> list[Cause]:
        spec, causes = item.get("spec") or {}, []
        modes = spec.get("accessModes") or []
        if not modes:
            causes.append(Cause.required("spec.accessModes", "at least 1 access mode is required"))
        causes += [
            Cause.unsupported("spec.accessModes", mode, ACCESS_MODES)
            for mode in modes
            if mode not in ACCESS_MODES
        ]
        storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
        if storage is None:
            causes.append(Cause.required("spec.resources[storage]"))
            return causes
        try:
            if quantity.parse(storage) <= 0:
                causes.append(Cause.invalid("spec.resources[storage]", storage, "must be greater than zero"))
        except ValueError as error:
            causes.append(Cause.invalid("spec.resources[storage]", storage, str(error)))
        return causes

    def begin(self, item: Json) -> None:
        spec = item["spec"]
        spec.setdefault("volumeMode", "Filesystem")
        storage = spec["resources"]["requests"]["storage"]
        item["status"] = {
            "phase": "Bound",
            "accessModes": spec["accessModes"],
            "capacity": {"storage": storage},
        }


class JobStrategy(Strategy):
    """Jobs: a template that must be a good pod, and a controller that takes over."""

    def default(self, item: Json) -> None:
        default_job(item)

    def validate(self, item: Json) -> list[Cause]:
        return validate_job(item)

    def validate_update(self, before: Json, item: Json) -> list[Cause]:
        return validate_job_update(before, item)

    def begin(self, item: Json) -> None:
        spec, metadata = item["spec"], item["metadata"]
        uid, name = metadata["uid"], metadata["name"]
        item["status"] = {}
        spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
        own = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
        for prefix in ("batch.kubernetes.io/", ""):
            own.update({f"{prefix}controller-uid": uid, f"{prefix}job-name": name})


_STRATEGIES: dict[Resource, Strategy] = {
    PODS: PodStrategy(),
    SECRETS: DataStrategy(),
    CONFIG_MAPS: DataStrategy(),
    NAMESPACES: NamespaceStrategy(),
    CLAIMS: ClaimStrategy(),
    JOBS: JobStrategy(),
}
_PLAIN = Strategy()


def strategy_of(resource: Resource) -> Strategy:
    """The rules of a resource type."""
    return _STRATEGIES.get(resource, _PLAIN)
