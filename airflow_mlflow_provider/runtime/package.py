"""Code packages: a flow's files as one deterministic, content-addressed archive.

Below ``flow/`` an archive holds the files of the flow's folder; below ``runtime/``, when it is made for deployment, this
package, so that an image with Python and a few light dependencies can run any step. Entries are sorted and carry no
times or owners: the same files always give the same digest, which is that of the uncompressed archive.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from airflow_mlflow_provider.exception import CommandException, CorruptedDataException
from airflow_mlflow_provider.store.ledger import Ledger

DEFAULT_SUFFIXES = (".py", ".R", ".RDS")
FLOW_FOLDER = "flow"
RUNTIME_FOLDER = "runtime"

_SKIPPED = {"__pycache__", "node_modules", "site-packages", "dist-packages"}
_MODE = 0o644


class CodePackage(msgspec.Struct, frozen=True):
    """An archive ready to be stored.

    Attributes:
        digest: BLAKE3 of the uncompressed archive, 64 hex digits.
        data: The archive, compressed with zstd.
        script: Path of the flow's file below ``flow/``, with ``/``.
        members: Paths in the archive.
        size: Bytes of the uncompressed files.
    """

    digest: str
    data: bytes
    script: str
    members: tuple[str, ...]
    size: int


def build_package(
    flow_file: Path,
    *,
    suffixes: Sequence[str] = DEFAULT_SUFFIXES,
    with_runtime: bool = False,
    max_mb: int = 200,
    skip: Sequence[Path] = (),
) -> CodePackage:
    """Package the folder of a flow's file.

    Args:
        flow_file: The flow's file.
        suffixes: Endings of the files to take.
        with_runtime: Whether this package goes in as well.
        max_mb: Largest total size of the files, in MB.
        skip: Folders to leave out, such as that of the store.

    Raises:
        CommandException: The files are larger than ``max_mb``; the ten largest are named.
    """
    import blake3
    import zstandard

    root = flow_file.resolve().parent
    files = {f"{FLOW_FOLDER}/{name}": path for name, path in _files(root, tuple(suffixes), skip)}
    files[f"{FLOW_FOLDER}/{flow_file.name}"] = flow_file.resolve()
    if with_runtime:
        package = Path(__file__).resolve().parent.parent
        own = _files(package, (".py", ".json", ".typed"), ())
        files.update({f"{RUNTIME_FOLDER}/{package.name}/{name}": path for name, path in own})
    sizes = {name: path.stat().st_size for name, path in files.items()}
    _check_size(sizes, max_mb)
    archive = _archive(files)
    digest = blake3.blake3(archive, max_threads=blake3.blake3.AUTO).hexdigest()
    data = zstandard.ZstdCompressor(level=3).compress(archive)
    return CodePackage(digest, data, flow_file.name, tuple(sorted(files)), sum(sizes.values()))


def open_package(ledger: Ledger, digest: str) -> bytes:
    """The uncompressed archive of a package.

    Raises:
        CorruptedDataException: It does not have its digest.
    """
    import blake3
    import zstandard

    archive = zstandard.ZstdDecompressor().decompress(ledger.code(digest), max_output_size=1 << 32)
    found = blake3.blake3(archive).hexdigest()
    if found != digest:
        raise CorruptedDataException(
            f"The code package {digest} is corrupted: its digest is {found}.",
            fix="Deploy or run the flow again, which stores its code anew.",
            where={"code": digest},
        )
    return archive


def unpack_package(ledger: Ledger, digest: str, cache: Path) -> Path:
    """The folder of an unpacked package on this machine, unpacked once and shared by all tasks.

    Args:
        ledger: Where the package is.
        digest: Which one.
        cache: Folder for unpacked packages.

    Raises:
        CorruptedDataException: The archive does not have its digest.
    """
    target = cache / digest
    if target.is_dir():
        return target
    archive = open_package(ledger, digest)
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=cache))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(fresh, filter="data")
    with suppress(OSError):
        # Another task may have been quicker, which gives the same files.
        fresh.rename(target)
    if fresh.is_dir():
        shutil.rmtree(fresh)
    return target


def _files(root: Path, suffixes: tuple[str, ...], skip: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    left_out = {path.resolve() for path in skip}
    seen: set[Path] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        real = here.resolve()
        if real in seen or real in left_out or (here != root and (here / "pyvenv.cfg").exists()):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(suffixes) and not name.startswith("."):
                path = here / name
                yield path.relative_to(root).as_posix(), path


def _archive(files: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            content = files[name].read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), _MODE
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _check_size(sizes: dict[str, int], max_mb: int) -> None:
    total = sum(sizes.values())
    if total <= max_mb * 1_000_000:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:10]
    shown = ", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in largest)
    raise CommandException(
        f"The code package would hold {total / 1e6:.0f} MB; at most {max_mb} MB are allowed. Largest: {shown}.",
        fix="Move large files out of the flow's folder, or raise package_max_mb.",
    )
