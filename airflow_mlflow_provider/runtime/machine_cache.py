"""The folder of this machine where tasks keep what other tasks can use: unpacked code, environments."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from airflow_mlflow_provider.exception import CommandException


def machine_cache(kind: str) -> Path:
    """The folder for one kind of things, below ``temp_dir``; it need not exist yet.

    Args:
        kind: Name of the folder.

    Raises:
        CommandException: Somebody else has made the folder that all kinds are in; code in it would run as this user.
    """
    from airflow_mlflow_provider.configuration import get

    root = Path(str(get("temp_dir") or tempfile.gettempdir())) / f"airflow_mlflow_provider-{os.getuid()}"
    with suppress(OSError):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise CommandException(
                f"{root} is not a folder of this user's, so no code is taken from it.",
                fix="Remove it, or set temp_dir to a folder of your own.",
                where={"path": str(root)},
            )
    return root / kind
