"""The rules for volumes: one source each, unique names, complete references."""

from __future__ import annotations

from tests.kubernetes_standin import quantity
from tests.kubernetes_standin.names import check, config_key, dns_label
from tests.kubernetes_standin.status import Cause, Json

HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
REQUIRED_REFERENCES = {"secret": "secretName", "configMap": "name", "persistentVolumeClaim": "claimName"}


def check_volumes(volumes: list[Json], field: str) -> list[Cause]:
    """Everything wrong with a pod's volumes."""
    causes = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        below, name = f"{field}[{index}]", volume.get("name") or ""
        if name:
            causes += check(dns_label, name, f"{below}.name")
        if name in seen:
            causes.append(Cause.duplicate(f"{below}.name", name))
        seen.add(name)
        sources = [key for key, value in volume.items() if key != "name" and value is not None]
        if not sources:
            causes.append(Cause.required(below, "must specify a volume type"))
        for extra in sources[1:]:
            causes.append(Cause.forbidden(f"{below}.{extra}", "may not specify more than 1 volume type"))
        for source in sources:
            causes += _check_source(source, volume[source], f"{below}.{source}")
    return causes


def _check_source(kind: str, source: Json, field: str) -> list[Cause]:
    causes = []
    reference = REQUIRED_REFERENCES.get(kind)
    if reference and not source.get(reference):
        causes.append(Cause.required(f"{field}.{reference}"))
    if kind in ("secret", "configMap"):
        causes += _check_items(source.get("items") or [], f"{field}.items")
    if kind in ("secret", "configMap", "downwardAPI", "projected"):
        causes += check_mode(source.get("defaultMode"), f"{field}.defaultMode")
    if kind == "hostPath":
        causes += _check_host_path(source, field)
    if kind == "emptyDir":
        causes += _check_empty_directory(source, field)
    if kind == "downwardAPI":
        causes += _check_downward_items(source.get("items") or [], f"{field}.items")
    return causes


def _check_items(items: list[Json], field: str) -> list[Cause]:
    causes = []
    for index, item in enumerate(items):
        below = f"{field}[{index}]"
        causes += check(config_key, item.get("key") or "", f"{below}.key")
        causes += check_inner_path(item.get("path") or "", f"{below}.path")
        causes += check_mode(item.get("mode"), f"{below}.mode")
    return causes


def _check_downward_items(items: list[Json], field: str) -> list[Cause]:
    causes = []
    for index, item in enumerate(items):
        below = f"{field}[{index}]"
        causes += check_inner_path(item.get("path") or "", f"{below}.path")
        if not item.get("fieldRef") and not item.get("resourceFieldRef"):
            causes.append(Cause.required(below, "one of fieldRef and resourceFieldRef is required"))
    return causes


def check_mode(mode: int | None, field: str) -> list[Cause]:
    """File permission bits: 0 to 0777."""
    if mode is None or 0 <= mode <= 0o777:
        return []
    detail = "must be a number between 0 and 0777 (octal), both inclusive"
    return [Cause.invalid(field, mode, detail)]


def check_inner_path(path: str, field: str) -> list[Cause]:
    """A path inside a volume: relative and without ``..``."""
    if not path:
        return [Cause.required(field)]
    if path.startswith("/"):
        return [Cause.invalid(field, path, "must be a relative path")]
    if ".." in path.split("/"):
        return [Cause.invalid(field, path, "must not contain '..'")]
    return []


def _check_host_path(source: Json, field: str) -> list[Cause]:
    causes = []
    if ".." in (source.get("path") or "").split("/"):
        causes.append(Cause.invalid(f"{field}.path", source["path"], "must not contain '..'"))
    kind = source.get("type")
    if kind is not None and kind not in HOST_PATH_TYPES:
        causes.append(Cause.unsupported(f"{field}.type", kind, HOST_PATH_TYPES))
    return causes


def _check_empty_directory(source: Json, field: str) -> list[Cause]:
    causes = []
    limit, medium = source.get("sizeLimit"), source.get("medium") or ""
    if limit is not None:
        try:
            if quantity.parse(limit) < 0:
                detail = "SizeLimit field must be a valid resource quantity"
                causes.append(Cause.forbidden(f"{field}.sizeLimit", detail))
        except ValueError as error:
            causes.append(Cause.invalid(f"{field}.sizeLimit", limit, str(error)))
    if medium not in ("", "Memory") and not medium.startswith("HugePages"):
        causes.append(Cause.unsupported(f"{field}.medium", medium, ("", "Memory", "HugePages")))
    return causes
