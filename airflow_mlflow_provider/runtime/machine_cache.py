"""The folder of this machine where tasks keep what other tasks can use: unpacked code, environments."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def machine_cache(kind: str) -> Path:
    """The folder for one kind of things, below ``temp_dir``; it need not exist yet.

    Args:
        kind: Name of the folder.
    """
    from airflow_mlflow_provider.configuration import get

    root = Path(str(get("temp_dir") or tempfile.gettempdir()))
    return root / f"airflow_mlflow_provider-{os.getuid()}" / kind
