"""A pod's volumes as directories and files of this machine, and what each container mounts of them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kubernetes_standin import linux, quantity
from tests.kubernetes_standin.container_process import Mount
from tests.kubernetes_standin.environment import decoded, expand, field_value, resource_value
from tests.kubernetes_standin.status import Json

Find = Callable[[str, str], "Json | None"]
"""Finds an object of the pod's namespace: takes the lower-case kind and the name."""


class MountFailed(Exception):
    """A volume is not ready; the pod stays in ``ContainerCreating`` and the kubelet tries again."""


@dataclass(frozen=True)
class PodVolumes:
    """The volumes of one pod, below ``directory``."""

    directory: Path
    find: Find
    claims_directory: Path
    node_capacity: dict[str, str]
    issue_token: Callable[[str, str], str]
    can_mount: bool

    def prepare(self, pod: Json) -> None:
        """Make every volume of the pod. Raises ``MountFailed``; may be called again."""
        for volume in pod["spec"].get("volumes") or []:
            kind = next(key for key, value in volume.items() if key != "name" and value is not None)
            try:
                self._prepare_one(kind, volume[kind], self._path(volume["name"]), pod)
            except MountFailed as error:
                raise MountFailed(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                ) from error

    def release(self) -> None:
        """Give back the memory of ``medium: Memory`` volumes; the pod has ended."""
        if self.can_mount and self.directory.exists():
            for path in self.directory.iterdir():
                if path.is_mount():
                    linux.unmount(str(path), linux.MNT_DETACH)

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _prepare_one(self, kind: str, source: Json, path: Path, pod: Json) -> None:
        if kind == "emptyDir":
            self._empty_directory(source, path)
        elif kind == "hostPath":
            _host_path(source, path)
        elif kind == "persistentVolumeClaim":
            claim = self.claims_directory / pod["metadata"]["namespace"] / source["claimName"]
            claim.mkdir(parents=True, exist_ok=True)
            _link(path, claim)
        elif kind in ("secret", "configMap", "downwardAPI", "projected"):
            sources = source["sources"] if kind == "projected" else [{kind: source}]
            path.mkdir(parents=True, exist_ok=True)
            for projection in sources:
                for file in self._projected(projection, pod):
                    _write(path, file, source.get("defaultMode", 0o644))
        else:
            raise MountFailed(f"the stand-in has no volumes of type {kind}")

    def _empty_directory(self, source: Json, path: Path) -> None:
        if path.exists():
            return
        path.mkdir(parents=True)
        path.chmod(0o777)
        if source.get("medium") == "Memory" and self.can_mount:
            limit = source.get("sizeLimit")
            size = f",size={quantity.units(limit)}" if limit else ""
            linux.mount("tmpfs", str(path), "tmpfs", options=f"mode=1777{size}")

    def _projected(self, projection: Json, pod: Json) -> Iterator[_File]:
        kind, source = next((key, value) for key, value in projection.items() if value is not None)
        if kind == "serviceAccountToken":
            metadata, account = pod["metadata"], pod["spec"]["serviceAccountName"]
            yield _File(source["path"], self.issue_token(metadata["namespace"], account).encode(), None)
        elif kind == "downwardAPI":
            yield from self._downward(source, pod)
        elif kind in ("secret", "configMap"):
            yield from self._keys(kind, source)
        else:
            raise MountFailed(f"the stand-in cannot project {kind}")

    def _keys(self, kind: str, source: Json) -> Iterator[_File]:
        name = str(source.get("secretName") or source.get("name"))
        item = self.find(kind.lower(), name)
        if item is None:
            if source.get("optional"):
                return
            raise MountFailed(f'{kind.lower()} "{name}" not found')
        values = decoded(kind.lower(), item)
        items = source.get("items") or [{"key": key, "path": key} for key in values]
        for entry in items:
            if entry["key"] in values:
                yield _File(entry["path"], values[entry["key"]], entry.get("mode"))
            elif not source.get("optional"):
                raise MountFailed(f"references non-existent {kind.lower()} key: {entry['key']}")

    def _downward(self, source: Json, pod: Json) -> Iterator[_File]:
        containers = {container["name"]: container for container in pod["spec"]["containers"]}
        for entry in source.get("items") or []:
            if entry.get("fieldRef"):
                value = field_value(pod, entry["fieldRef"]["fieldPath"])
            else:
                reference = entry["resourceFieldRef"]
                container = containers.get(reference.get("containerName") or "", {})
                value = resource_value(reference, container, self.node_capacity)
            yield _File(entry["path"], value.encode(), entry.get("mode"))

    def mounts(self, container: Json, variables: dict[str, str]) -> tuple[Mount, ...]:
        """What a container mounts, outer paths first. Raises ``MountFailed`` for a sub-path that leaves its volume."""
        found = []
        for volume_mount in container.get("volumeMounts") or []:
            base = self._path(volume_mount["name"]).resolve()
            inner = volume_mount.get("subPath") or expand(volume_mount.get("subPathExpr") or "", variables)
            source = (base / inner).resolve()
            if not source.is_relative_to(base):
                raise MountFailed(f'subPath "{inner}" leaves its volume')
            if not source.exists():
                source.mkdir(parents=True)
            target = os.path.normpath(f"/{volume_mount['mountPath'].lstrip('/')}")
            found.append(Mount(str(source), target, bool(volume_mount.get("readOnly"))))
        return tuple(sorted(found, key=lambda mount: mount.target.count("/")))


@dataclass(frozen=True)
class _File:
    path: str
    content: bytes
    mode: int | None


def _write(directory: Path, file: _File, default_mode: int) -> None:
    path = directory / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_bytes(file.content)
    temporary.chmod(file.mode if file.mode is not None else default_mode)
    temporary.replace(path)


def _host_path(source: Json, path: Path) -> None:
    target, kind = Path(source["path"]), source.get("type") or ""
    if kind == "FileOrCreate" and not target.exists():
        target.touch()
    elif kind in ("", "DirectoryOrCreate") and not target.exists():
        target.mkdir(parents=True)
    checks = {"Directory": target.is_dir, "DirectoryOrCreate": target.is_dir, "File": target.is_file}
    if kind in checks and not checks[kind]():
        raise MountFailed(f"hostPath type check failed: {target} is not a {kind.lower()}")
    _link(path, target)


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        path.symlink_to(target)
