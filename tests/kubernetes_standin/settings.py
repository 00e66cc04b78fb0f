"""What a stand-in can be told when it starts, and what an image name stands for on this machine."""

from __future__ import annotations

import fnmatch
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_CAPACITY = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "1000"}
_REFERENCE = re.compile(
    r"(?:[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d+)?/)*[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True)
class Image:
    """What images whose name matches ``pattern`` (a shell pattern) hold.

    Their files are this machine's, except that /tmp, /var/tmp, /run and the home directories are empty; ``expose``
    lists directories to show nevertheless. ``entrypoint`` and ``environment`` are what an image's configuration has.
    """

    pattern: str = "*"
    path: str = f"{Path(sys.prefix) / 'bin'}:{SYSTEM_PATH}"
    environment: dict[str, str] = field(default_factory=lambda: {"LANG": "C.UTF-8"})
    entrypoint: tuple[str, ...] = ()
    expose: tuple[str, ...] = (sys.prefix, sys.base_prefix, str(PROJECT_ROOT))
    user: int | None = None


@dataclass(frozen=True)
class Settings:
    """Configuration of one stand-in."""

    state_directory: Path
    images: tuple[Image, ...] = ()
    capacity: dict[str, str] = field(default_factory=dict)
    node_labels: dict[str, str] = field(default_factory=dict)
    restart_backoff_seconds: float = 1.0
    retry_seconds: float = 0.25
    admin_token: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    port: int = 0
    tls: bool = False
    isolation: str = ""
    """``full``, ``user`` or ``none`` to insist on one; the strongest that works when empty."""

    @property
    def node_capacity(self) -> dict[str, str]:
        """What the one node offers."""
        return {**DEFAULT_CAPACITY, **self.capacity}

    def image(self, name: str) -> Image:
        """The first configured image whose pattern matches."""
        for image in self.images:
            if fnmatch.fnmatchcase(name, image.pattern):
                return image
        return Image()


@dataclass(frozen=True)
class PullFailure:
    """Why an image is not there: the kubelet's waiting reason, its back-off reason and its message."""

    reason: str
    backoff_reason: str
    message: str


def pull_failure(image: str, policy: str) -> PullFailure | None:
    """None when ``image`` can be had. Names that begin with ``missing`` or end in ``:does-not-exist`` cannot."""
    if not _REFERENCE.fullmatch(image):
        message = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format'
        return PullFailure("InvalidImageName", "InvalidImageName", message)
    base = image.rpartition("/")[2]
    if not base.startswith("missing") and not base.endswith(":does-not-exist"):
        return None
    if policy == "Never":
        message = f'Container image "{image}" is not present with pull policy of Never'
        return PullFailure("ErrImageNeverPull", "ErrImageNeverPull", message)
    detail = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
    return PullFailure("ErrImagePull", "ImagePullBackOff", detail)
