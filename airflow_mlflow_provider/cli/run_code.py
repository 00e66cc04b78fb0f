"""The code of a run beside the files here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.runtime.package import FLOW_FOLDER

Files = Mapping[str, bytes]


def files_of_run(pathspec: str) -> dict[str, bytes]:
    """The files that a run was started with, by path relative to the folder of the flow's file.

    Raises:
        MetaflowNotFound: There is no such run.
        CommandException: It has no code.
    """
    code = Run(pathspec, _namespace_check=False).code
    if code is None:
        raise CommandException(
            f"The run {pathspec} was started without storing its code.",
            fix="Name another run.",
            where={"run": pathspec},
        )
    files: dict[str, bytes] = {}
    with code.tarball as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            if content is not None and member.name.startswith(f"{FLOW_FOLDER}/"):
                files[member.name.removeprefix(f"{FLOW_FOLDER}/")] = content.read()
    return files


def files_here(like: Files) -> dict[str, bytes]:
    """The files of the working directory that have the same paths; those that are not here are left out."""
    return {name: Path(name).read_bytes() for name in like if Path(name).is_file()}


def difference(old: Files, new: Files) -> str:
    """A unified diff of text files; of others it says that they differ."""
    parts: list[str] = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before != after:
            parts.append(_file_difference(name, before, after))
    return "".join(parts)


def write_files(files: Files, folder: str) -> int:
    """Write files below a folder; how many.

    Raises:
        CommandException: The folder holds something already.
    """
    root = Path(folder)
    if root.exists() and any(root.iterdir()):
        raise CommandException(
            f"The folder {folder} is not empty.", fix="Give another one with --dir.", where={"folder": folder}
        )
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return len(files)


def write_patch(text: str, path: str, *, overwrite: bool) -> None:
    """Write a patch.

    Raises:
        CommandException: There is a file already.
    """
    if Path(path).exists() and not overwrite:
        raise CommandException(
            f"There is a file {path} already.", fix="Give --overwrite, or another --file_path."
        )
    Path(path).write_text(text, encoding="utf-8")


def _file_difference(name: str, before: bytes | None, after: bytes | None) -> str:
    try:
        old, new = ((content or b"").decode().splitlines(keepends=True) for content in (before, after))
    except UnicodeDecodeError:
        return f"Binary files a/{name} and b/{name} differ\n"
    labels = (
        f"a/{name}" if before is not None else "/dev/null",
        f"b/{name}" if after is not None else "/dev/null",
    )
    lines = difflib.unified_diff(old, new, *labels)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
