"""The last code package made of each folder, on this machine: while no file has changed, and no Python that makes bytecode, none is read again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import MAGIC_NUMBER
from pathlib import Path

from airflow_mlflow_provider.runtime.machine_cache import machine_cache
from airflow_mlflow_provider.runtime.whole_files import write_whole

_DIGEST_LENGTH = 64
# A file may change twice within one tick of its time stamps; what was changed so lately is not relied on.
_SETTLED_NS = 2_000_000_000
# A folder to which files come is another one each time.
_MOST_KEPT = 64


class PackageCache:
    """Remembers one archive for each set of names that a package may have.

    Args:
        files: What goes into the archive: a path, or a content, by its name there.
    """

    def __init__(self, files: Mapping[str, Path | bytes]) -> None:
        import blake3

        names, state = blake3.blake3(), blake3.blake3(MAGIC_NUMBER)
        newest = 0
        for name, source in sorted(files.items()):
            if isinstance(source, bytes):
                facts = f"{blake3.blake3(source).hexdigest()}"
            else:
                found = source.stat()
                newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
                facts = (
                    f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
                )
                names.update(f"{source}\0".encode())
            state.update(f"{name}\0{facts}\0".encode())
        self._state = state.hexdigest().encode()
        self._worth_keeping = time.time_ns() - newest > _SETTLED_NS
        self._file = machine_cache("packages") / names.hexdigest()

    def get(self) -> tuple[str, bytes] | None:
        """The digest and the compressed archive, if nothing has changed since they were kept."""
        try:
            kept = self._file.read_bytes()
        except OSError:
            return None
        state, digest, data = (
            kept[:_DIGEST_LENGTH],
            kept[_DIGEST_LENGTH : 2 * _DIGEST_LENGTH],
            kept[2 * _DIGEST_LENGTH :],
        )
        if state != self._state or not data:
            return None
        self._worth_keeping = False
        return digest.decode(), data

    def keep(self, digest: str, data: bytes) -> None:
        """Keep an archive in place of the last one; a machine on which that fails goes without."""
        if not self._worth_keeping:
            return
        with suppress(OSError):
            write_whole(self._file, (self._state, digest.encode(), data))
            kept = sorted(self._file.parent.iterdir(), key=lambda path: path.stat().st_mtime)
            for old in kept[:-_MOST_KEPT]:
                old.unlink()
