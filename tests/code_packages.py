"""Code packages with a program in place of the runtime."""

from __future__ import annotations

import io
import tarfile
import zipfile

import zstandard
from blake3 import blake3


def stub_package(unit: str, flow: str = "") -> tuple[str, bytes]:
    """A package, as its digest and its content.

    Args:
        unit: Source of the module that a pod runs.
        flow: Source of the flow's file.
    """
    runtime = io.BytesIO()
    with zipfile.ZipFile(runtime, "w") as archive:
        for name, text in {"__init__.py": "", "runtime/__init__.py": "", "runtime/unit.py": unit}.items():
            archive.writestr(f"airflow_mlflow_provider/{name}", text)
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w") as tar:
        for name, content in {"flow/flow.py": flow.encode(), "runtime.zip": runtime.getvalue()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = package.getvalue()
    return blake3(data).hexdigest(), zstandard.compress(data)
