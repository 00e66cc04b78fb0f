"""Code packages: a flow's files as one deterministic, content-addressed archive.

Below ``flow/`` an archive holds the files of the flow's folder, and what decorators and mutators add; as ``runtime.zip``, when it is
made for deployment, this package, so that an image with Python and a few light dependencies can run any step. Entries are sorted and
carry no times or owners: the same files always give the same digest, which is that of the uncompressed archive. With ``runtime.zip``
this holds for one version of Python, whose bytecode is in it.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec

from airflow_mlflow_provider.exception import (
    CommandException,
    CorruptedDataException,
    NonUniqueFileNameToFilePathMappingException,
)
from airflow_mlflow_provider.runtime.package_cache import PackageCache
from airflow_mlflow_provider.runtime.runtime_archive import own_home, runtime_archive
from airflow_mlflow_provider.store.ledger import Ledger

Source = Path | bytes

DEFAULT_SUFFIXES = (".py", ".R", ".RDS")
FLOW_FOLDER = "flow"
RUNTIME_FILE = "runtime.zip"

_SKIPPED = {"__pycache__", "node_modules", "site-packages", "dist-packages"}
_MODE = 0o644
# Written once and read by each pod.
_LEVEL = 6


class CodePackage(msgspec.Struct, frozen=True):
    """An archive ready to be stored.

    Attributes:
        digest: BLAKE3 of the uncompressed archive, 64 hex digits.
        data: The archive, compressed with zstd.
        script: Path of the flow's file below ``flow/``, with ``/``.
        members: Paths in the archive.
        size: Bytes of the uncompressed files, bytecode not counted.
        sources: Where each member comes from: a path, or what to call a content that is no file's.
    """

    digest: str
    data: bytes
    script: str
    members: tuple[str, ...]
    size: int
    sources: tuple[str, ...] = ()


def build_package(
    flow_file: Path,
    *,
    suffixes: Sequence[str] = DEFAULT_SUFFIXES,
    with_runtime: bool = False,
    max_mb: int = 200,
    skip: Sequence[Path] = (),
    contributions: Iterable[tuple[Source, str]] = (),
) -> CodePackage:
    """Package the folder of a flow's file, and what its decorators and mutators add.

    Args:
        flow_file: The flow's file.
        suffixes: Endings of the files to take.
        with_runtime: Whether this package goes in as well.
        max_mb: Largest total size of the files, in MB.
        skip: Folders to leave out, such as that of the store.
        contributions: Files or contents to add, each with its path below ``flow/``.

    Raises:
        CommandException: The files are larger than ``max_mb``; the ten largest are named.
        NonUniqueFileNameToFilePathMappingException: Two different sources want one path.
    """
    root = flow_file.resolve().parent
    files: dict[str, Source] = {
        f"{FLOW_FOLDER}/{name}": path for name, path in _files(root, tuple(suffixes), skip)
    }
    files[f"{FLOW_FOLDER}/{flow_file.name}"] = flow_file.resolve()
    for source, name in contributions:
        _add(files, source, name)
    own = _own_files() if with_runtime else {}
    sizes = {
        name: len(source) if isinstance(source, bytes) else source.stat().st_size
        for name, source in {**files, **own}.items()
    }
    _check_size(sizes, max_mb)
    cache = PackageCache({**files, **own})
    digest, data = cache.get() or _compressed(files, own)
    cache.keep(digest, data)
    sources = {name: _shown(source) for name, source in files.items()}
    if own:
        sources[RUNTIME_FILE] = f"this package, from {own_home()}"
    members = tuple(sorted(sources))
    return CodePackage(
        digest, data, flow_file.name, members, sum(sizes.values()), tuple(map(sources.__getitem__, members))
    )


def flow_contributions(flow_class: type) -> list[tuple[Source, str]]:
    """What a flow's package holds beside the flow's folder: a file or a content, and its path below ``flow/``.

    Decorators and mutators add to it, and so do modules from elsewhere (:mod:`.included_modules`).

    Raises:
        MetaflowException: A source of ``@package_sources`` does not exist, or a mutator yields something else.
    """
    from airflow_mlflow_provider.flow.mutators import package_contributions
    from airflow_mlflow_provider.runtime.included_modules import included_modules

    found: list[tuple[Source, str]] = list(included_modules(flow_class))
    for given, name, _ in package_contributions(flow_class):
        source: Source = given if isinstance(given, bytes) else Path(given)
        if isinstance(source, Path) and not source.is_file():
            raise CommandException(
                f"add_to_package of a decorator of {flow_class.__name__} yields {str(given)!r}, which is no file.",
                fix="Yield the path of a file, or its content as bytes.",
                where={"path": str(given)},
            )
        found.append((source, str(name)))
    return found


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
    followed: set[Path] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        real = here.resolve()
        is_link = here != root and here.is_symlink()
        # A link is followed once, and never back to where it is: there is no end to that.
        again = is_link and (real in followed or here.parent.resolve().is_relative_to(real))
        if again or real in left_out or (here != root and (here / "pyvenv.cfg").exists()):
            folders.clear()
            continue
        if is_link:
            followed.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(suffixes) and not name.startswith("."):
                path = here / name
                yield path.relative_to(root).as_posix(), path


def _add(files: dict[str, Source], source: Source, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise CommandException(
            f"A decorator adds {_shown(source)} to the code package as {name!r}, which is outside of it.",
            fix="Give a relative path without `..`.",
            where={"path": name},
        )
    member = f"{FLOW_FOLDER}/{path}"
    other = files.setdefault(member, source)
    if not _same(other, source):
        raise NonUniqueFileNameToFilePathMappingException(
            f"Two sources want the path {path} in the code package: {_shown(other)} and {_shown(source)}.",
            fix="Give one of them another name (arcname).",
            where={"path": str(path)},
        )


def _same(one: Source, other: Source) -> bool:
    if isinstance(one, bytes) or isinstance(other, bytes):
        return one == other
    return one.resolve() == other.resolve()


def _shown(source: Source) -> str:
    return f"content of {len(source)} bytes" if isinstance(source, bytes) else str(source)


def _own_files() -> dict[str, Path]:
    """The files that ``runtime.zip`` is made of, by their names in it; where this package is imported from one, that is it."""
    home = own_home()
    if home.is_file():
        return {RUNTIME_FILE: home}
    package = Path(__file__).resolve().parent.parent
    found = _files(package, (".py", ".json", ".typed"), (package / "frontend",))
    return {f"{package.name}/{name}": path for name, path in found}


def _compressed(files: Mapping[str, Source], own: Mapping[str, Path]) -> tuple[str, bytes]:
    import blake3
    import zstandard

    if own:
        files = {**files, RUNTIME_FILE: own.get(RUNTIME_FILE) or runtime_archive(own)}
    archive = _archive(files)
    digest = blake3.blake3(archive, max_threads=blake3.blake3.AUTO).hexdigest()
    return digest, zstandard.ZstdCompressor(level=_LEVEL).compress(archive)


def _archive(files: Mapping[str, Source]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            source = files[name]
            content = source if isinstance(source, bytes) else source.read_bytes()
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
